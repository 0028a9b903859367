import { evaluate } from '../policy/evaluate.ts';
import type { Policy } from '../policy/policy.ts';
import { carryOut, redirectToHttps } from './carry-out.ts';
import type { Connection } from './connection.ts';
import type { Decision, Respond } from './decision.ts';
import { hasHazard, normalisePath, type NormalPath } from './path.ts';
import type { RequestHead } from './request-head.ts';
import { respond } from './respond.ts';
import type { Host, Route, Snapshot } from './snapshot.ts';

/**
 * Decides what happens to one request. Pure: the same snapshot, connection, head and time give the same
 * Decision, to both lanes and to everything that explains, replays or tests them.
 *
 * The order is the order of trust: is the host ours, does this connection's verification count for it,
 * is its certificate good, and only then what the route and its policy say. An unknown path of a protected
 * host is therefore answered like a known one to a client without a certificate.
 *
 * @param now Milliseconds since 1970: a certificate that expires on an open connection is refused from then on.
 */
export function decide(snapshot: Snapshot, connection: Connection, head: RequestHead, now: number): Decision {
  const host = snapshot.hosts.find(head.host);
  if (host === null) return respond('no_host', null, null);
  const path = normalisePath(head.path);
  if (path === null) return respond('bad_path', host, null, 'the path is malformed or leads above the root');
  if (host.routes.refusesLength(path.path)) return respond('path_too_long', host, null);
  if (connection.listener === 'http') return decidePlain(snapshot, host, head, path);
  return (
    refuseMisdirected(host, connection) ??
    refuseVerdict(host, connection, now) ??
    chooseRoute(host, connection, head, path)
  );
}

/**
 * The plain listener sends everyone to https, but for routes that say otherwise, and are open to all: nothing that
 * wants a client certificate is ever answered there.
 */
function decidePlain(snapshot: Snapshot, host: Host, head: RequestHead, path: NormalPath): Decision {
  const route = host.routes.find(path.path);
  if (route?.plainHttp !== 'serve' || !isOpen(host, route)) {
    return redirectToHttps(snapshot, host, route, head, path);
  }
  if (host.judgesPaths && hasHazard(path, host.routes)) {
    return respond('bad_path', host, route, 'the path can be read in more than one way');
  }
  return carryOut(host, route, head, path, 'http');
}

/** No certificate is asked for and no policy judges one. */
function isOpen(host: Host, route: Route): boolean {
  return route.clientAuth.mode === 'off' && host.policy === null && route.policy === null;
}

/**
 * Rule 5: a host that wants client certificates answers only on connections that were verified for it. With
 * a server name that is the host's own; without one (or with an unknown one) the default host's trust store
 * and mode must be the very same. A changed trust store makes every older connection one of these.
 */
function refuseMisdirected(host: Host, connection: Connection): Respond | null {
  if (host.clientAuth.mode === 'off') return null;
  if (connection.trustKey !== host.clientAuth.key) {
    return respond('misdirected', host, null, 'the connection was not verified for this host');
  }
  if (connection.serverNameMatched && connection.hostId !== host.id) {
    return respond('misdirected', host, null, 'the server name of the connection is another host');
  }
  return null;
}

/** Rule 2, and nginx's table of verdicts by mode. Null: the mode lets the connection pass. */
function refuseVerdict(host: Host, connection: Connection, now: number): Respond | null {
  const { mode } = host.clientAuth;
  const { verdict } = connection;
  if (mode === 'off') return null;
  if (verdict.status === 'none') return mode === 'require' ? respond('no_certificate', host, null) : null;
  if (connection.identity === null) {
    return respond('malformed_cert', host, null, 'the certificate could not be read');
  }
  if (now > connection.identity.notAfter) {
    return respond('expired', host, null, 'the certificate has expired');
  }
  if (verdict.status === 'success') return null;
  if (mode === 'optional_no_ca' && verdict.untrustedOnly) return null;
  return respond(verdict.reason, host, null, verdict.detail);
}

function chooseRoute(host: Host, connection: Connection, head: RequestHead, path: NormalPath): Decision {
  const route = host.routes.find(path.path);
  if (host.judgesPaths && hasHazard(path, host.routes)) {
    return respond('bad_path', host, route, 'the path can be read in more than one way');
  }
  const refused =
    refusePolicy(host.policy, host, route, connection) ??
    refusePolicy(route?.policy ?? null, host, route, connection);
  if (refused !== null) return refused;
  if (route === null) return respond('no_route', host, null);
  return carryOut(host, route, head, path, 'https');
}

function refusePolicy(
  policy: Policy | null,
  host: Host,
  route: Route | null,
  connection: Connection,
): Respond | null {
  if (policy === null) return null;
  // An identity that was not proven satisfies nothing, whatever it claims (nginx lets `match-cn` pass here).
  if (connection.verdict.status !== 'success' || connection.identity === null) {
    return respond('policy_no_identity', host, route, 'the policy asks for a verified client certificate');
  }
  const result = evaluate(policy, connection.identity);
  return result.allowed ? null : respond(result.reason, host, route, result.detail);
}
