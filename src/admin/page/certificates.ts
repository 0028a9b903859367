import type { Catalogue } from '../../observe/catalogue.ts';
import type { PageFacts } from './facts.ts';
import { html, type Html } from './html.ts';
import { count, daysLeft, utc } from './numbers.ts';
import { nothing, pill, sheet } from './sections.ts';
import { readings } from './totals.ts';

const maxShown = 40;

/** Days left under which a certificate is worth a look, and under which it is late. */
const noticeDays = 30;
const lateDays = 7;

interface Dated {
  readonly kind: string;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly until: number;
  readonly hosts: Set<string>;
}

/** Certificates of hosts, CAs and CRLs by the days that they have left. */
export function certificates({ metrics, now }: PageFacts): Html {
  const dated = new Map<string, Dated>();
  const add = (
    metric: keyof Catalogue,
    kind: string,
    name: (labels: Readonly<Record<string, string>>) => string,
  ): void => {
    for (const { labels, value } of readings(metrics, metric)) {
      const until = value * 1000;
      const key = JSON.stringify([kind, name(labels), until]);
      const one = dated.get(key) ?? { kind, name: name(labels), until, hosts: new Set() };
      dated.set(key, one);
      one.hosts.add(labels['host'] ?? '');
    }
  };
  add('serverCertificateNotAfter', 'server', ({ host = '' }) => host);
  add('caCertificateNotAfter', 'CA', ({ subject = '' }) => subject);
  add('crlNextUpdate', 'CRL', ({ issuer = '' }) => issuer);
  const sorted = [...dated.values()].toSorted((one, other) => one.until - other.until);
  const shown = sorted.slice(0, maxShown);
  return sheet('certificates', 'Certificates and CRLs', 'by days left', [
    sorted.length === 0
      ? nothing('None.')
      : html`<table>
          <thead>
            <tr>
              <th>Name</th>
              <th>Kind</th>
              <th class="num">Days left</th>
            </tr>
          </thead>
          <tbody>
            ${shown.map((one) => row(one, now))}
          </tbody>
        </table>`,
    sorted.length > shown.length &&
      html`<p class="soft">and ${count(sorted.length - shown.length)} that last longer</p>`,
  ]);
}

function row({ kind, name, until, hosts }: Dated, now: number): Html {
  const days = daysLeft(until, now);
  // A CRL is replaced in days where a certificate is in months.
  const scale = kind === 'CRL' ? 0.1 : 1;
  const tone = days < lateDays * scale ? 'bad' : days < noticeDays * scale ? 'warn' : null;
  const text = days < 0 ? `${count(-days)} ago` : count(days);
  const others = [...hosts].filter((host) => host !== name);
  return html`<tr class="${tone}">
    <td>
      ${name}
      ${others.length > 0 && html`<span class="soft">for ${others.slice(0, 3).join(', ')}${others.length > 3 && ` and ${others.length - 3} more`}</span>`}
    </td>
    <td>${kind}</td>
    <td class="num" data-name="days left" title="${utc(until)}">
      ${tone === null ? text : pill(tone, text)}
    </td>
  </tr>`;
}
