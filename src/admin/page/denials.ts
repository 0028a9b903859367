import type { KeptDenial } from '../../observe/denials/ring.ts';
import type { PageFacts } from './facts.ts';
import { type Content, html, type Html } from './html.ts';
import { clock, count } from './numbers.ts';
import { nothing, pill, sheet } from './sections.ts';

/** Who was turned away last, and how near each was; unfolded, all that is known, and what would become of it now. */
export function denials({ denials: shown, denied, now }: PageFacts): Html {
  const note = denied === 0 ? null : `${count(denied)} since the start`;
  return sheet('denials', 'Latest denials', note, [
    shown.length === 0 ? nothing('None.') : shown.map((denial) => entry(denial, now)),
    denied > shown.length && html`<p class="soft">More of them: <a href="denials">/denials</a></p>`,
  ]);
}

function entry(denial: KeptDenial, now: number): Html {
  const { seq, time, reason, outcome, nearMiss, certificate, address } = denial;
  return html`<details class="denial" id="denial:${seq}">
    <summary>
      <span class="row"
        ><span class="time">${clock(Date.parse(time), now)}</span>
        <span>${pill(outcome === 'report' ? 'warn' : 'bad', reason)}</span>
        <span class="what"
          ><span>${certificate === null ? address : certificate.subject || 'an empty subject'}</span>
          <span class="where">${where(denial)}</span></span
        >
        ${nearMiss !== null && html`<span class="why">${nearMiss}</span>`}</span
      >
    </summary>
    ${all(denial)} ${explainer(denial)}
  </details>`;
}

function where({ kind, method, authority, path, host, serverName }: KeptDenial): Content {
  return kind === 'request'
    ? html`${method} <code>${authority ?? host}${path}</code>`
    : html`handshake <code>${serverName ?? host ?? 'without a server name'}</code>`;
}

function all(denial: KeptDenial): Html {
  const { certificate } = denial;
  const pairs: readonly (readonly [string, Content])[] = [
    ['request id', denial.id],
    ['client', `${denial.address} port ${denial.port}`],
    ['server name', denial.serverName],
    ['host', denial.host],
    ['route', denial.route],
    ['answer', denial.outcome === 'report' ? `${denial.status}, only reported` : denial.status],
    ['TLS', denial.tls],
    [
      'certificate',
      certificate !== null && (certificate.verified ? 'verified' : 'not verified, all of it only claimed'),
    ],
    ['subject', certificate?.subject],
    ['issuer', certificate?.issuer],
    ['serial', certificate?.serial],
    ['fingerprint', certificate?.fingerprint],
    ['not after', certificate?.notAfter],
  ];
  return html`<dl class="pairs">
    ${pairs.map(
      ([name, value]) =>
        value !== null &&
        value !== undefined &&
        value !== false &&
        html`<dt>${name}</dt>
          <dd class="free">${value}</dd>`,
    )}
  </dl>`;
}

/**
 * Asks `POST /explain` what would become of the request now. A record has a certificate's facts and not the certificate
 * with its chain, so whoever wants to know about one has to bring it.
 */
function explainer({
  kind,
  authority,
  path,
  method,
  address,
  tls,
  serverName,
  certificate,
  seq,
}: KeptDenial): Content {
  if (kind !== 'request' || authority === null || path?.startsWith('/') !== true || method === null)
    return null;
  const question = {
    host: authority,
    path,
    method,
    address,
    serverName,
    ...(tls === null ? { plainHttp: true } : {}),
  };
  return html`<div class="explain" data-own>
    ${
      certificate !== null &&
      html`<label for="pem:${seq}"
          >The client’s certificate with its chain, PEM; without it: as if none were shown</label
        >
        <textarea id="pem:${seq}" rows="3" spellcheck="false"></textarea>`
    }
    <button type="button" data-explain="${JSON.stringify(question)}">What would become of it now?</button>
    <pre hidden tabindex="0" aria-live="polite"></pre>
  </div>`;
}
