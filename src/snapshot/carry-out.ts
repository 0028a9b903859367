import { admit } from './access.ts';
import type { Connection } from './connection.ts';
import type { Decision, Respond } from './decision.ts';
import { normalisePath, type NormalPath } from './path.ts';
import type { RequestHead } from './request-head.ts';
import { respond } from './respond.ts';
import type { Host, Route, Snapshot } from './snapshot.ts';
import type { TargetFacts, TargetTemplate } from './target-template.ts';

/**
 * What a route that was found, and that the client may use, does with a request: forwards it, its path rewritten
 * where the route says so, or answers it.
 */
export function carryOut(
  host: Host,
  route: Route,
  connection: Connection,
  head: RequestHead,
  path: NormalPath,
): Decision {
  const { answer, rewrite } = route;
  const admission = admit(route.access, head.told?.address ?? connection.remoteAddress);
  if (admission === 'refuse') {
    return respond('address_denied', host, route, 'the address is not among those the route allows');
  }
  const forward = (target: string): Decision => ({
    action: 'forward',
    reason: 'ok',
    host,
    route,
    target,
    authenticate: admission === 'authenticate',
  });
  if (answer === null && rewrite === null) return forward(path.path + head.query);
  const facts = factsOf(route, connection, head, path.path);
  if (answer?.kind === 'redirect') {
    return respond('route_redirect', host, route, {
      status: answer.status,
      location: answer.to.render(answer.stripTrailingSlash ? withoutSlash(facts) : facts),
    });
  }
  if (answer !== null) {
    const { status, contentType, body } = answer;
    const content = body === null ? null : { contentType, body };
    return respond('route_answer', host, route, { status, content });
  }
  const target = rewrite === null ? path.path + head.query : rewritten(rewrite, facts);
  if (target === null) return respond('bad_path', host, route, 'the rewritten path is malformed');
  return forward(target);
}

/** What templates of a route are filled with, for a request that was decided to go there. */
export function targetFactsOf(route: Route, connection: Connection, head: RequestHead): TargetFacts {
  return factsOf(route, connection, head, normalisePath(head.path)?.path ?? '/');
}

function factsOf(route: Route, connection: Connection, head: RequestHead, path: string): TargetFacts {
  return {
    scheme: head.told?.scheme ?? connection.listener,
    host: head.host,
    authority: head.authority,
    path,
    query: head.query,
    captures: route.pattern?.captures(path) ?? [],
  };
}

/** A slash before arguments stays: ingress-nginx looks at the end of the target. */
function withoutSlash(facts: TargetFacts): TargetFacts {
  return facts.query === '' && facts.path.endsWith('/') ? { ...facts, path: facts.path.slice(0, -1) } : facts;
}

/**
 * Arguments of the rewritten path come before the request's own, as nginx's `rewrite` puts them; a template that ends
 * in `?` leaves the request's own out. What was put together from pieces is normalised once more: two harmless ones
 * can make a `..`.
 */
function rewritten(template: TargetTemplate, facts: TargetFacts): string | null {
  // The template's own end counts: what a client wrote is never read as that mark.
  const drops = template.text.endsWith('?');
  const rendered = template.render(facts);
  const text = drops ? rendered.slice(0, -1) : rendered;
  const query = drops ? '' : facts.query;
  const mark = text.indexOf('?');
  const written = mark === -1 ? text : text.slice(0, mark);
  const path = normalisePath(written.startsWith('/') ? written : `/${written}`);
  if (path === null) return null;
  if (mark === -1) return path.path + query;
  const added = text.slice(mark);
  return path.path + (query === '' ? added : `${added}${added === '?' ? '' : '&'}${query.slice(1)}`);
}

/**
 * Sends a request over plain HTTP to https (308, as ingress-nginx's ssl-redirect), on the port that clients see.
 * ingress-nginx strips a trailing slash there unless told to keep it; a route says which.
 */
export function redirectToHttps(
  snapshot: Snapshot,
  host: Host,
  route: Route | null,
  head: RequestHead,
  path: NormalPath,
): Respond {
  const { http, https } = snapshot.listeners;
  const port = http?.redirectPort ?? https.port;
  const name = head.host.includes(':') ? `[${head.host}]` : head.host;
  const authority = port === 443 ? name : `${name}:${port}`;
  // As ingress-nginx's Lua, which looks at the end of the target: a slash before the arguments stays.
  const strip = route?.httpsRedirect.stripTrailingSlash === true && path.path.length > 1 && head.query === '';
  const kept = strip && path.path.endsWith('/') ? path.path.slice(0, -1) : path.path;
  return respond('redirect_https', host, route, {
    location: `https://${authority}${kept}${head.query}`,
    ...(route === null ? {} : { status: route.httpsRedirect.status }),
  });
}
