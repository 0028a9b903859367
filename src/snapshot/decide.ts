import { failureInFull, none, type Verdict } from '../tls/verdict.ts';
import { deniedBy } from '../policy/deny-list.ts';
import { evaluate } from '../policy/evaluate.ts';
import type { Policy } from '../policy/policy.ts';
import { preflightHeaders } from '../proxy/headers/cors.ts';
import { carryOut, redirectToHttps } from './carry-out.ts';
import { verdictFor, type Connection } from './connection.ts';
import type { Decision, Respond } from './decision.ts';
import { hasHazard, normalisePath, type NormalPath } from './path.ts';
import { isDenial } from './reason.ts';
import { mayPass, wouldDenyBy, type WouldDeny } from './report.ts';
import type { RequestHead } from './request-head.ts';
import { respond } from './respond.ts';
import type { ClientAuth, Host, Route, Snapshot } from './snapshot.ts';
import type { Check, Trace } from './trace.ts';

/**
 * Decides what happens to one request. Pure: the same snapshot, connection, head and time give the same
 * Decision, to both lanes and to everything that explains, replays or tests them.
 *
 * The order is the order of trust: is the host ours, does this connection's verification count for it,
 * is its certificate good, and only then what the route and its policy say. An unknown path of a protected
 * host is therefore answered like a known one to a client without a certificate.
 *
 * @param now Milliseconds since 1970: a certificate that expires on an open connection is refused from then on.
 * @param trace Told each step, for explanations.
 */
export function decide(
  snapshot: Snapshot,
  connection: Connection,
  head: RequestHead,
  now: number,
  trace?: Trace,
): Decision {
  const host = snapshot.hosts.find(head.host);
  if (host === null) return told(trace, 'host', respond('no_host', null, null));
  trace?.found({ host });
  trace?.asked('host', null);
  const path = normalisePath(head.path);
  if (path === null) {
    const detail = 'the path is malformed or leads above the root';
    return told(trace, 'path', respond('bad_path', host, null, detail));
  }
  trace?.found({ path });
  trace?.asked('path', null);
  if (host.routes.refusesLength(path.path)) {
    return told(trace, 'path_length', respond('path_too_long', host, null));
  }
  if (connection.listener === 'http') return decidePlain(snapshot, host, connection, head, path, trace);
  const route = host.routes.find(path.path);
  // A path without a route is guarded as the host is.
  const clientAuth = route?.clientAuth ?? host.clientAuth;
  const verdict = verdictFor(connection, clientAuth, now);
  trace?.found({ route, clientAuth, verdict });
  const refused =
    told(trace, 'deny_list', refuseDenied(snapshot, host, connection)) ??
    told(trace, 'connection', refuseMisdirected(host, clientAuth, connection)) ??
    told(trace, 'preflight', answerPreflight(host, route, head, path));
  if (refused !== null) return refused;
  const reports = route?.reports ?? host.reports;
  const unfit = refuseVerdict(host, clientAuth, verdict, connection, now);
  const passedOver = unfit !== null && reports.certificate && mayPass(unfit) ? unfit : null;
  if (passedOver === null && told(trace, 'certificate', unfit) !== null) return unfit!;
  if (passedOver !== null) trace?.reported('certificate', passedOver);
  // Of a certificate that does not count nothing is believed, whatever the handshake said of it.
  const proven = passedOver === null ? verdict : none;
  const before = passedOver === null ? null : wouldDenyBy('certificate', passedOver);
  const decision = forwardTo(snapshot, host, route, proven, connection, head, path, before, trace);
  if (decision.action !== 'forward' || proven.status !== 'success') return decision;
  return proven.staleCrl === undefined ? decision : { ...decision, staleCrl: proven.staleCrl };
}

/** Passes on what a check came to, and tells it. */
function told<Refusal extends Respond | null>(
  trace: Trace | undefined,
  check: Check,
  refusal: Refusal,
): Refusal {
  trace?.asked(check, refusal);
  return refusal;
}

/** Whoever showed a denied certificate is refused on this connection, also where none is asked for. */
function refuseDenied({ denyList }: Snapshot, host: Host, { identity }: Connection): Respond | null {
  const detail = deniedBy(denyList, identity);
  return detail === null ? null : respond('denied', host, null, detail);
}

/**
 * The plain listener sends everyone to https, but for routes that say otherwise, and are open to all: nothing that
 * wants a client certificate is ever answered there.
 */
function decidePlain(
  snapshot: Snapshot,
  host: Host,
  connection: Connection,
  head: RequestHead,
  path: NormalPath,
  trace: Trace | undefined,
): Decision {
  const route = host.routes.find(path.path);
  trace?.found({ route });
  // TLS may have ended at a trusted proxy in front: a redirect would go round in circles.
  const serves = route?.plainHttp === 'serve' || head.told?.scheme === 'https';
  if (route === null || !serves || !isOpen(host, route)) {
    return told(trace, 'plain_http', redirectToHttps(snapshot, host, route, head, path));
  }
  trace?.asked('plain_http', null);
  return (
    told(trace, 'path_hazard', refuseHazard(host, route, path)) ??
    told(trace, 'preflight', answerPreflight(host, route, head, path)) ??
    carriedOut(host, route, connection, head, path, trace)
  );
}

/** A path that a backend may read differently; only where somebody is kept out by paths. */
function refuseHazard(host: Host, route: Route | null, path: NormalPath): Respond | null {
  if (!host.judgesPaths || !hasHazard(path, host.routes)) return null;
  return respond('bad_path', host, route, 'the path can be read in more than one way');
}

/**
 * Browsers show no certificate with a preflight (Fetch standard: its credentials mode is "omit"), so it is answered
 * before one is demanded: it learns the route's CORS policy and nothing else, and never reaches an upstream. ingress-nginx
 * answers it before addresses and passwords, too.
 *
 * Rule 5 comes before it all the same. A browser that opens a connection for this host names it, so the 421 costs it
 * nothing; where it took a connection of another host along, the 421 sends it to a new one; and the answers of a host
 * stay those of connections that were made for it. A path that can be read in two ways is answered as its request will be.
 */
function answerPreflight(
  host: Host,
  route: Route | null,
  { preflight }: RequestHead,
  path: NormalPath,
): Respond | null {
  if (preflight === undefined || route === null || route.cors === null) return null;
  if (refuseHazard(host, route, path) !== null) return null;
  return respond('cors_preflight', host, route, { headers: preflightHeaders(route.cors, preflight.origin) });
}

/** No certificate is asked for and no policy judges one. */
function isOpen(host: Host, route: Route): boolean {
  return route.clientAuth.mode === 'off' && host.policy === null && route.policy === null;
}

/**
 * Rule 5: where client certificates are asked for, only connections are answered that were verified for it. With
 * a server name that is the host's own; without one (or with an unknown one) the default host's trust store and
 * mode must be the very same; and in each case against the trust store that the route has now. Where only some
 * routes of a host ask, the others are open to every connection.
 */
function refuseMisdirected(host: Host, { mode, trust }: ClientAuth, connection: Connection): Respond | null {
  if (host.clientAuth.mode === 'off' && mode === 'off') return null;
  if (connection.trustKey !== host.clientAuth.key) {
    return respond('misdirected', host, null, 'the connection was not verified for this host');
  }
  if (connection.serverNameMatched && connection.hostId !== host.id) {
    return respond('misdirected', host, null, 'the server name of the connection is another host');
  }
  if (mode !== 'off' && !connection.judged.has(trust?.key ?? '')) {
    return respond('misdirected', host, null, 'the connection was not verified against this trust store');
  }
  return null;
}

/** Rule 2, and nginx's table of verdicts by mode. Null: the mode lets the connection pass. */
function refuseVerdict(
  host: Host,
  clientAuth: ClientAuth,
  verdict: Verdict,
  connection: Connection,
  now: number,
): Respond | null {
  const { mode } = clientAuth;
  if (mode === 'off') return null;
  if (verdict.status === 'none') return mode === 'require' ? respond('no_certificate', host, null) : null;
  if (connection.identity === null) {
    return respond('malformed_cert', host, null, 'the certificate could not be read');
  }
  if (now > connection.identity.notAfter) {
    return respond('expired', host, null, 'the certificate has expired');
  }
  if (verdict.status === 'success') return refuseStale(host, clientAuth, connection, now);
  if (mode === 'optional_no_ca' && verdict.untrustedOnly) return null;
  return respond(verdict.reason, host, null, failureInFull(verdict));
}

/** The client's way out is a new connection, on which its certificate is asked about anew. */
function refuseStale(host: Host, { trust }: ClientAuth, { judged }: Connection, now: number): Respond | null {
  const { validUntil = Infinity } = judged.get(trust?.key ?? '') ?? {};
  if (now < validUntil) return null;
  return respond('ocsp_expired', host, null, 'what the OCSP responder said of the certificate is too old');
}

function forwardTo(
  snapshot: Snapshot,
  host: Host,
  route: Route | null,
  verdict: Verdict,
  connection: Connection,
  head: RequestHead,
  path: NormalPath,
  before: WouldDeny | null,
  trace: Trace | undefined,
): Decision {
  const hazard = told(trace, 'path_hazard', refuseHazard(host, route, path));
  if (hazard !== null) return hazard;
  const { hostPolicy, routePolicy } = route?.reports ?? host.reports;
  let wouldDeny = before;
  const byHost = refusePolicy(host.policy, host, route, verdict, connection);
  if (byHost !== null && hostPolicy) {
    trace?.reported('host_policy', byHost);
    wouldDeny ??= wouldDenyBy('host_policy', byHost);
  } else if (told(trace, 'host_policy', byHost) !== null) return byHost!;
  const byRoute = refusePolicy(route?.policy ?? null, host, route, verdict, connection);
  if (byRoute !== null && routePolicy) {
    trace?.reported('route_policy', byRoute);
    wouldDeny ??= wouldDenyBy('route_policy', byRoute);
  } else if (told(trace, 'route_policy', byRoute) !== null) return byRoute!;
  if (route === null) return told(trace, 'route', respond('no_route', host, null));
  // The client spoke plain HTTP to a trusted proxy, which speaks TLS to us.
  if (head.told?.scheme === 'http' && route.plainHttp !== 'serve') {
    return told(trace, 'plain_http', redirectToHttps(snapshot, host, route, head, path));
  }
  const decision = carriedOut(host, route, connection, head, path, trace);
  // What is refused for another reason was not let through.
  return wouldDeny === null || isDenial(decision.reason) ? decision : { ...decision, wouldDeny };
}

function carriedOut(
  host: Host,
  route: Route,
  connection: Connection,
  head: RequestHead,
  path: NormalPath,
  trace: Trace | undefined,
): Decision {
  const decision = carryOut(host, route, connection, head, path);
  trace?.asked('action', decision.action === 'respond' ? decision : null);
  return decision;
}

function refusePolicy(
  policy: Policy | null,
  host: Host,
  route: Route | null,
  verdict: Verdict,
  connection: Connection,
): Respond | null {
  if (policy === null) return null;
  // An identity that was not proven satisfies nothing, whatever it claims (nginx lets `match-cn` pass here).
  if (verdict.status !== 'success' || connection.identity === null) {
    return respond('policy_no_identity', host, route, 'the policy asks for a verified client certificate');
  }
  const result = evaluate(policy, connection.identity);
  return result.allowed ? null : respond(result.reason, host, route, result.detail);
}
