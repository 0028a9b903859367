import { listOf, printable, quote } from '../config/text.ts';
import type { Excerpt, Explanation as PolicyTree } from '../policy/explain.ts';
import type { ExplainedDecision, Explanation } from '../snapshot/explain/explanation.ts';
import type { Choice } from '../snapshot/explain/runners-up.ts';
import type { ExplainedTrust, ExplainedVerdict } from '../snapshot/explain/trust.ts';
import type { ExplainedHandshake, ExplainedStore, Report } from './report.ts';

/** A report for people, a line each; nothing in it can move a terminal's cursor. */
export function reportText(report: Report): string[] {
  const { handshake, request } = report;
  return [
    ...decisionText(report.decision),
    ...(handshake === null ? [] : ['', ...handshakeText(handshake)]),
    ...(request === null ? [] : requestText(request)),
  ].map(printable);
}

function decisionText(decision: Report['decision']): string[] {
  switch (decision.action) {
    case 'end_handshake':
      return [
        `the connection is ended in the handshake: ${decision.reason}${because(decision.detail)}`,
        'no request is ever answered',
      ];
    case 'respond': {
      const { status, message, reason, detail, location } = decision;
      const where = location === null ? [] : [`  to ${location}`];
      const first = `answered with ${status} ${message}: ${reason}${because(detail)}`;
      return [first, ...where, ...inSpiteOf(decision)];
    }
    case 'forward': {
      const after = decision.authenticate ? ', once it is authenticated' : '';
      const stale = decision.staleCrl === null ? [] : [`  although ${decision.staleCrl}`];
      const first = `forwarded by route ${decision.route} of ${decision.host}${after}`;
      return [first, ...stale, ...inSpiteOf(decision)];
    }
  }
}

function inSpiteOf({ wouldDeny }: ExplainedDecision): string[] {
  if (wouldDeny === null) return [];
  const { check, reason, status, detail } = wouldDeny;
  return [`  although ${check} would refuse it (${status}): ${reason}${because(detail)}; it only reports`];
}

const because = (detail: string | null): string => (detail === null ? '' : `, ${detail}`);

function handshakeText(handshake: ExplainedHandshake): string[] {
  const { serverName, host, serverNameMatched, asksForCertificate, strict, sent, stores } = handshake;
  const name = serverName === null ? 'no server name' : `server name ${quote(serverName)}`;
  if (host === null) return ['handshake', `  ${name}: ${handshake.detail ?? handshake.reason}`];
  const asks = !asksForCertificate
    ? 'asks for no certificate'
    : `asks for a certificate${strict ? ', and ends who is not authorised' : ''}`;
  return [
    'handshake',
    `  ${name}: host ${host}${serverNameMatched ? '' : ', which stands in'}; it ${asks}`,
    ...(asksForCertificate && sent.length === 0 ? ['  the client sends none'] : []),
    ...sent.map(
      ({ subject, issuer, serial, notAfter }, index) =>
        `  ${index === 0 ? 'sent' : 'and '}  ${subject}, issued by ${issuer}, serial ${serial}, until ${notAfter}`,
    ),
    ...stores.flatMap(storeText),
    ...(handshake.reason === 'ok' ? [] : [`  counted as ${handshake.reason}${because(handshake.detail)}`]),
  ];
}

function storeText({ store, verdict, chain, missing, note }: ExplainedStore): string[] {
  return [
    `  trust store ${store}: ${verdictText(verdict)}`,
    ...chain.map(({ subject, from, fingerprint }, index) => {
      const last = index === chain.length - 1;
      const what = index === 0 ? 'chain' : last ? 'CA   ' : 'by   ';
      return `    ${what}  ${subject}${index === 0 ? '' : ` (${from}, SHA-256 ${fingerprint.slice(0, 16)}…)`}`;
    }),
    ...(missing === null ? [] : [`    ${missing}`]),
    ...(note === null ? [] : [`    ${note}`]),
  ];
}

const verdictText = ({ status, reason, detail }: ExplainedVerdict): string =>
  reason === null ? status : `${status}, ${reason}${because(detail)}`;

function requestText(request: Explanation): string[] {
  const { request: asked, hosts, routes, clientAuth, policies, checks, upstreamRequest, notes } = request;
  const { connection } = request;
  return [
    '',
    `request  ${asked.method} ${asked.path}${asked.query} for ${asked.authority}, at ${request.time}`,
    `  from ${connection.address}${asked.told === null ? '' : `, who speaks for ${asked.told.address}`}`,
    ...(asked.normalPath === null || asked.normalPath === asked.path
      ? []
      : [`  the path is read as ${asked.normalPath}`]),
    ...(asked.hazards.length === 0
      ? []
      : [`  others may read it otherwise: ${listOf(asked.hazards, 'and')}`]),
    ...(asked.alternative === null ? [] : [`  or as ${asked.alternative}`]),
    ...(hosts === null ? [] : choiceText('host ', hosts)),
    ...(routes === null ? [] : choiceText('route', routes)),
    ...(clientAuth === null ? [] : clientAuthText(clientAuth)),
    ...policies.flatMap(({ of, holds, tree }) => [
      '',
      `policy of the ${of}: ${policyText(holds, tree)}`,
      ...(tree === null ? ['  there is no certificate to judge'] : treeText(tree, '')),
    ]),
    ...(checks.length === 0 ? [] : ['', 'checks']),
    ...checks.map(({ check, passed, reported, reason, detail }) => {
      if (passed && !reported) return `  ok   ${check}`;
      return `  ${reported ? 'only reports' : 'here'} ${check}: ${reason ?? ''}${because(detail)}`;
    }),
    ...upstreamText(upstreamRequest),
    ...(notes.length === 0 ? [] : ['', 'and', ...notes.map((note) => `  ${note}`)]),
  ];
}

function policyText(holds: boolean, tree: PolicyTree | null): string {
  if (holds) return 'holds';
  return tree?.holds === true ? 'does not hold, since the certificate is not proven' : 'does not hold';
}

function choiceText(what: string, { found, others, more }: Choice): string[] {
  return [
    found === null ? `${what}    there is none` : `${what}    ${found.id}, by ${found.by}`,
    ...others.map(({ id, matches, why }) => `  ${matches ? 'behind' : 'not   '} ${id}: ${why}`),
    ...(more > 0 ? [`  nor any of ${more} more`] : []),
  ];
}

function clientAuthText({ mode, trust, verdict }: NonNullable<Explanation['clientAuth']>): string[] {
  if (trust === null) return [`certificates    mode ${mode}: none is asked for there`];
  return [
    `certificates    mode ${mode}, trust store ${trust.store}: ${verdictText(verdict)}`,
    ...trust.authorities.map((authority) => `  trusted  ${authority}`),
    ...(trust.moreAuthorities > 0 ? [`  and ${trust.moreAuthorities} more`] : []),
    ...revocationText(trust),
  ];
}

function revocationText({ revocation }: ExplainedTrust): string[] {
  if (revocation === null) return ['  CRLs     none are asked'];
  const { check, certificates } = revocation;
  const whom = check === 'leaf' ? "the client's certificate" : 'each certificate of the chain';
  if (certificates.length === 0) return [`  CRLs     of ${whom}: no chain was proven to ask about`];
  return certificates.map(({ serial, issuer, state, detail, crl }) => {
    const dates = crl === null ? '' : ` (of ${crl.thisUpdate}, next ${crl.nextUpdate ?? 'never'})`;
    return `  CRL      of ${issuer}${dates}: serial ${serial} ${state}${because(detail)}`;
  });
}

function treeText(tree: PolicyTree, indent: string): string[] {
  const holds = tree.holds === null ? '?  ' : tree.holds ? 'yes' : 'no ';
  const line = `  ${holds}  ${indent}`;
  if (tree.kind === 'rule') {
    return [`${line}${tree.fact}: saw ${excerptText(tree.saw)}, wants ${excerptText(tree.wants)}`];
  }
  if (tree.kind === 'not') return [`${line}not`, ...treeText(tree.part, `${indent}  `)];
  const parts = tree.parts.flatMap((part) => treeText(part, `${indent}  `));
  return [`${line}${tree.kind} of`, ...parts];
}

function excerptText({ texts, count }: Excerpt): string {
  if (count === 0) return 'nothing';
  const more = count > texts.length ? ` and ${count - texts.length} more` : '';
  return `${texts.map(quote).join(', ')}${more}`;
}

function upstreamText(upstream: Explanation['upstreamRequest']): string[] {
  if (upstream === null) return [];
  if ('problem' in upstream) return ['', `it cannot be sent on: ${upstream.problem}`];
  const { destinations, method, target, headers, body } = upstream;
  return [
    '',
    ...destinations.map(({ upstream: name, by, share, tls, endpoints, moreEndpoints }) => {
      const where = `${endpoints.join(', ')}${moreEndpoints > 0 ? ` and ${moreEndpoints} more` : ''}`;
      const chance = share === 1 ? '' : `, ${Math.round(share * 10_000) / 100} % of them`;
      return `to upstream ${name} (${tls ? 'TLS, ' : ''}${where}), by ${by}${chance}`;
    }),
    `  ${method} ${target} HTTP/1.1`,
    ...headers.map(([name, value]) => `  ${name}: ${value}`),
    ...(body === 'none'
      ? []
      : [body === 'chunked' ? '  Transfer-Encoding: chunked' : `  Content-Length: ${body.length}`]),
  ];
}
