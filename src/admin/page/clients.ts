import type { Entry } from '../../observe/inventory/entry.ts';
import { windows } from '../../observe/inventory/inventory.ts';
import type { RotationCa } from '../../observe/inventory/rotation.ts';
import type { PageFacts } from './facts.ts';
import { html, type Html } from './html.ts';
import { clock, count, daysLeft, utc } from './numbers.ts';
import { nothing, pill, sheet } from './sections.ts';

/** Days left under which a client's certificate is worth a look, and under which it is late. */
const [lateDays, noticeDays] = windows;

/** Who the clients are, whose certificates run out, and which CA can go. */
export function clients({ clients: facts, now }: PageFacts): Html {
  if (facts === null) {
    return sheet('clients', 'Clients', null, nothing('Identities are not collected: inventory.keep is 0.'));
  }
  const { kept, since, expiring, latest, cas } = facts;
  const soon = expiring.within.map((times, index) => `${count(times)} in ${windows[index]} days`).join(', ');
  return sheet('clients', 'Clients', `${count(kept)} since ${clock(since, now)}`, [
    latest.length === 0
      ? nothing('None were seen.')
      : [
          html`<p class="soft">Certificates that run out: ${soon}.</p>`,
          html`<table>
            <thead>
              <tr>
                <th>Subject</th>
                <th>Last seen</th>
                <th class="num">Requests</th>
                <th class="num">Denied</th>
                <th class="num">Days left</th>
              </tr>
            </thead>
            <tbody>
              ${latest.map((entry) => row(entry, now))}
            </tbody>
          </table>`,
        ],
    kept > latest.length && html`<p class="soft">All of them: <a href="identities">/identities</a></p>`,
    cas !== null &&
      cas.length > 0 &&
      html`<h3 class="later">CAs, and who comes through them</h3>
        ${cas.map((ca) => caEntry(ca, now))}`,
    cas === null && html`<p class="soft">Who comes through which CA: <a href="rotation">/rotation</a></p>`,
  ]);
}

function row({ subject, fingerprint, lastSeen, requests, denials, notAfter }: Entry, now: number): Html {
  const denied = [...denials.values()].reduce((sum, times) => sum + times, 0);
  const days = daysLeft(notAfter, now);
  const tone = days < lateDays ? 'bad' : days < noticeDays ? 'warn' : null;
  const left = days < 0 ? `${count(-days)} ago` : count(days);
  return html`<tr>
    <td title="${fingerprint}">${subject === '' ? 'an empty subject' : subject}</td>
    <td class="time" data-name="seen">${clock(lastSeen, now)}</td>
    <td class="num" data-name="requests">${count(requests)}</td>
    <td class="num" data-name="denied">${count(denied)}</td>
    <td class="num" data-name="days left" title="${utc(notAfter)}">
      ${tone === null ? left : pill(tone, left)}
    </td>
  </tr>`;
}

const verdicts = {
  safe: ['good', 'safe to drop'],
  not_safe: ['', 'needed'],
  unknown: ['', 'not known yet'],
} as const;

function caEntry({ host, subject, lastSeen, verdict, why }: RotationCa, now: number): Html {
  const [tone, text] = verdicts[verdict];
  return html`<p class="ca">
    <span class="free">${subject} <span class="soft">at ${host}</span></span> ${pill(tone, text)}
    <span class="soft">${why}${lastSeen !== null && `; last seen ${clock(Date.parse(lastSeen), now)}`}</span>
  </p>`;
}
