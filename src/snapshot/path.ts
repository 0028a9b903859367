import type { RouteTable } from './route-table.ts';

/**
 * One reading of a path, for route, policy and upstream alike. What a path means must not depend on who reads
 * it (CVE-2025-66490, CVE-2026-67309: the proxy checked one path, the backend served another): the normalised
 * path is what routes are matched by *and* what the upstream is sent; where a backend may still read it
 * otherwise, a hazard says so.
 */
export interface NormalPath {
  readonly path: string;
  readonly hazards: readonly PathHazard[];
  /**
   * The path as a server reads it that drops path parameters (`;…`, as Servlet containers do) and does not
   * tell an encoded delimiter (`%3A`) from a raw one. Null where it reads the same.
   */
  readonly alternative: string | null;
}

/** What in a path two servers may read two ways. */
export type PathHazard =
  /** `%2F`: a slash to many, data to others. */
  | 'encoded_slash'
  /** `\` or `%5C`: a slash on Windows and to some URL libraries. */
  | 'backslash'
  /** An encoded control byte: may end a string, a line, or vanish. */
  | 'control'
  /** `%252e` and the like: another path to whoever decodes twice. */
  | 'double_encoding'
  /** A byte sequence that a lax UTF-8 decoder takes for ASCII: `%C0%AE` as `.`. */
  | 'overlong_utf8'
  /** `/..;x/`: climbs where parameters are dropped first. */
  | 'dot_parameter'
  /** A `;` anywhere. Harmless where the alternative reading leads to the same route. */
  | 'parameter';

const unreserved = /^[A-Za-z0-9._~-]$/;

/** What most paths are made of: nothing encoded, no segment that starts with a dot, nothing empty within. */
const plain = /^(?:\/[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9._~!$&'()*+,=:@-]*)*\/?$/;

const noHazards: readonly PathHazard[] = Object.freeze([]);

/** In a normalised path. Digits behind `%25` are as the client wrote them, hence both cases there. */
const hazardPatterns: readonly (readonly [PathHazard, RegExp])[] = [
  ['encoded_slash', /%2F/],
  ['backslash', /%5C/],
  ['control', /%(?:[01][0-9A-F]|7F)/],
  // Only where the second decoding yields what changes a reading: unreserved, `/ \ % ; ? #`, control bytes.
  [
    'double_encoding',
    /%25(?:[01][0-9a-f]|2[35def]|3[0-9bf]|4[1-9a-f]|5[0-9acf]|6[1-9a-f]|7[0-9aef]|u[0-9a-f]{4})/i,
  ],
  ['overlong_utf8', /%C[01]%[89AB]|%E0%[89]|%F0%8/],
  ['dot_parameter', /\/\.\.?(?:;|%3B)/],
  ['parameter', /;|%3B/],
];

/**
 * Normalises the path of an origin-form target (RFC 3986 §6.2.2, with nginx's merge_slashes):
 * - `%XX` of unreserved characters is decoded, all other `%XX` get upper-case digits and stay;
 * - characters that a URI path may not hold raw (`" < > [ \ ] ^ { | }` and the backtick) are encoded: nginx
 *   serves them, browsers encode some of them, and one spelling is enough;
 * - `//` becomes `/`, then `.` and `..` are resolved, also those written `%2e`.
 *
 * Null, to be answered 400 as nginx does: a malformed `%`, `%00`, a `..` above the root. Also null, because
 * the request head's checks should have refused them: no `/` at the start, `?`, `#`, spaces, control and
 * 8-bit characters. Idempotent. Takes time linear in the path's length.
 */
export function normalisePath(raw: string): NormalPath | null {
  if (raw.length === 0 || !raw.startsWith('/')) return null;
  if (plain.test(raw)) return { path: raw, hazards: noHazards, alternative: null };
  if (!/^[!-~]+$/.test(raw) || /[?#]|%(?![0-9A-Fa-f]{2})|%00/.test(raw)) return null;
  const path = resolveSegments(raw.replaceAll(/%..|[^A-Za-z0-9._~!$&'()*+,;=:@/%-]/g, normaliseCharacter));
  if (path === null) return null;
  return { path, hazards: hazardsOf(path), alternative: alternativeReading(path) };
}

/**
 * True where the path may not be trusted to mean the same to everyone. With the host's routes, a mere path
 * parameter or encoded delimiter counts only if the other reading leads to another route (`/admin;x`); without
 * them, any parameter does.
 *
 * To be asked on every host that has a policy anywhere, not only where the route found has one: the other
 * reading may be the one that the policy covers.
 */
export function hasHazard(path: NormalPath, routes?: Pick<RouteTable, 'find'>): boolean {
  if (path.hazards.some((hazard) => hazard !== 'parameter')) return true;
  if (routes === undefined) return path.hazards.length > 0;
  return path.alternative !== null && routes.find(path.alternative) !== routes.find(path.path);
}

/** A `%XX` or a character that needs encoding, to its normal form. */
function normaliseCharacter(text: string): string {
  if (text.length === 1) return `%${text.charCodeAt(0).toString(16).toUpperCase()}`;
  const character = String.fromCharCode(Number.parseInt(text.slice(1), 16));
  return unreserved.test(character) ? character : text.toUpperCase();
}

function resolveSegments(path: string): string | null {
  const resolved: string[] = [];
  const segments = path.slice(1).split('/');
  for (const segment of segments) {
    if (segment === '' || segment === '.') continue;
    if (segment !== '..') resolved.push(segment);
    else if (resolved.pop() === undefined) return null;
  }
  const last = segments.at(-1) ?? '';
  const isFolder = last === '' || last === '.' || last === '..';
  return `/${resolved.join('/')}${isFolder && resolved.length > 0 ? '/' : ''}`;
}

function hazardsOf(path: string): readonly PathHazard[] {
  const found = hazardPatterns.filter(([, pattern]) => pattern.test(path)).map(([hazard]) => hazard);
  return found.length === 0 ? noHazards : Object.freeze(found);
}

function alternativeReading(path: string): string | null {
  const read = resolveSegments(
    path
      .replaceAll(/(?:;|%3B)[^/]*/g, '')
      .replaceAll(/%(?:2[146789ABC]|3[AD]|40)/g, (text) => decodeURIComponent(text)),
  );
  return read === path ? null : read;
}
