import type { Cors } from '../../snapshot/cors.ts';

/**
 * What an answer says in Access-Control-Allow-Origin, or null where the origin may not read it. An origin is only echoed
 * where it is one of those configured, from its first to its last character. `null`, which any sandboxed page can send, is
 * never one of them.
 */
export function allowedOrigin(cors: Cors, origin: string | null): string | null {
  if (cors.anyOrigin) return '*';
  if (origin === null) return null;
  const lower = origin.toLowerCase();
  if (cors.origins.has(lower)) return origin;
  return cors.wildcards.some((wildcard) => fits(wildcard, lower)) ? origin : null;
}

/** As ingress-nginx's `[A-Za-z0-9\-]+` for `*`: exactly one label. */
function fits({ scheme, suffix }: Cors['wildcards'][number], origin: string): boolean {
  if (!origin.startsWith(scheme) || !origin.endsWith(suffix)) return false;
  return /^[a-z0-9-]+$/.test(origin.slice(scheme.length, -suffix.length));
}

/** Headers of our answer to a preflight: name, value, …; for an origin that may nothing, nothing but Vary. */
export function preflightHeaders(cors: Cors, origin: string): string[] {
  const allowed = allowedOrigin(cors, origin);
  const vary = cors.anyOrigin ? [] : ['Vary', 'Origin'];
  if (allowed === null) return vary;
  return [
    ...permission(cors, allowed),
    'Access-Control-Allow-Methods',
    cors.methods,
    'Access-Control-Allow-Headers',
    cors.headers,
    'Access-Control-Max-Age',
    String(cors.maxAgeSeconds),
    ...vary,
  ];
}

/**
 * A response's headers with a route's policy in place of whatever the upstream says about CORS; as ingress-nginx's
 * `more_set_headers`, on answers of any status. What only preflights are asked for is left out.
 */
export function withCors(headers: readonly string[], cors: Cors, origin: string | null): string[] {
  const result: string[] = [];
  let varies = false;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? '';
    const value = headers[index + 1] ?? '';
    const lower = name.toLowerCase();
    if (isReplaced(lower, cors)) continue;
    if (lower === 'vary') varies ||= /(?:^|,)\s*(?:\*|origin)\s*(?:,|$)/i.test(value);
    result.push(name, value);
  }
  const allowed = allowedOrigin(cors, origin);
  if (allowed !== null) result.push(...permission(cors, allowed));
  // Also where the origin may not: a cache must not give this answer to one that may.
  if (!cors.anyOrigin && !varies) result.push('Vary', 'Origin');
  return result;
}

/** Credentials together with `*` mean nothing to browsers (Fetch standard, "CORS check"), so they are not said. */
function permission(cors: Cors, allowed: string): string[] {
  return [
    'Access-Control-Allow-Origin',
    allowed,
    ...(cors.credentials && allowed !== '*' ? ['Access-Control-Allow-Credentials', 'true'] : []),
    ...(cors.exposeHeaders === null ? [] : ['Access-Control-Expose-Headers', cors.exposeHeaders]),
  ];
}

/** What the upstream exposes is its own affair unless the route says. */
function isReplaced(name: string, cors: Cors): boolean {
  if (name.startsWith('access-control-allow-') || name === 'access-control-max-age') return true;
  return name === 'access-control-expose-headers' && cors.exposeHeaders !== null;
}
