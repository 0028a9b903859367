import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Token } from '../config/tokens.ts';
import type { AdminAccess, Grant } from '../snapshot/admin-access.ts';
import { shorten } from '../observe/shorten.ts';
import type { Policy } from '../policy/policy.ts';
import type { Identity } from '../tls/identity.ts';
import type { Permission } from './endpoint.ts';
import type { Certified } from './tls.ts';

/** Who asks, as far as the connection and the request tell. */
export interface Presented {
  /** The listener and the other side are both on this machine's loopback. */
  readonly local: boolean;
  readonly authorization: string | null;
  /** What the client's certificate comes to under a policy; null where the connection has no TLS. */
  readonly certified: ((policy: Policy) => Certified) | null;
}

export type Answered =
  | { readonly allowed: true; readonly caller: string }
  | {
      readonly allowed: false;
      readonly status: 401 | 403;
      /** For the caller: what to show. */
      readonly line: string;
      /** For the log. */
      readonly caller: string;
      readonly detail?: string;
    };

/** Whether a caller has a permission, by the settings in force now. */
export function permits(access: AdminAccess, permission: Permission, presented: Presented): Answered {
  const { reading, changing, probes } = access;
  if (permission === 'changing') return allows(changing, 'changing', presented);
  if (permission === 'probe' && probes === 'open') return { allowed: true, caller: 'probe' };
  const read = allows(reading, 'reading', presented);
  if (read.allowed) return read;
  // Who may change may read; that everyone here may change is no reason to let everyone read.
  const change = changing === 'open' ? read : allows(changing, 'changing', presented);
  return change.allowed ? change : read;
}

function allows(grant: Grant, what: 'reading' | 'changing', presented: Presented): Answered {
  const nobody = (line: string): Answered => ({ allowed: false, status: 403, line, caller: 'unknown' });
  if (grant === 'off') return nobody(`${what} is off (listeners.admin.${what})`);
  if (grant === 'open') {
    return presented.local
      ? { allowed: true, caller: 'loopback' }
      : nobody(`${what} is for this machine alone`);
  }
  const secret = secretOf(presented.authorization, what === 'reading');
  const token = secret === null ? null : tokenFor(grant.tokens, secret);
  if (token !== null) return { allowed: true, caller: `token ${token.name}` };
  const shown = grant.policy === null ? null : (presented.certified?.(grant.policy) ?? null);
  if (shown?.allowed === true) return { allowed: true, caller: nameOf(shown.identity) };
  if (secret !== null) {
    return {
      allowed: false,
      status: 401,
      line: `this token is not one for ${what}`,
      caller: 'unknown token',
    };
  }
  if (shown === null) {
    return { allowed: false, status: 401, line: `${what} needs a token`, caller: 'unknown' };
  }
  const { line, detail, identity, known } = shown;
  const caller = identity === null ? 'unknown' : `${known ? '' : 'unverified '}${nameOf(identity)}`;
  return { allowed: false, status: known ? 403 : 401, line, caller, detail };
}

/** Subjects may repeat, and be anything that a CA lets pass; fingerprints tell them apart. */
function nameOf({ subjectText, sha256 }: Identity): string {
  return `certificate ${sha256} ${shorten(subjectText, 512)}`;
}

/**
 * A Bearer token. For reading also the password of Basic authentication, which browsers ask their user for; they send it
 * again without asking, with what other sites have them send too, so it changes nothing.
 */
function secretOf(authorization: string | null, basic: boolean): string | null {
  const [, scheme = '', credentials = ''] = /^([A-Za-z]+) +([^ ]+)$/.exec(authorization ?? '') ?? [];
  if (scheme.toLowerCase() === 'bearer') return credentials;
  if (!basic || scheme.toLowerCase() !== 'basic') return null;
  const pair = Buffer.from(credentials, 'base64').toString('latin1');
  const colon = pair.indexOf(':');
  return colon === -1 ? null : pair.slice(colon + 1);
}

/** Digests are compared, each with each: the time it takes tells nothing of a token, nor which one it was. */
function tokenFor(tokens: readonly Token[], secret: string): Token | null {
  const digest = createHash('sha256').update(secret).digest();
  let found: Token | null = null;
  for (const token of tokens) if (timingSafeEqual(token.digest, digest)) found ??= token;
  return found;
}

/** The one Authorization header; null where there is none, or where several leave it open which counts. */
export function authorizationOf({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>): string | null {
  const values: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]!.toLowerCase() === 'authorization') values.push(rawHeaders[index + 1]!);
  }
  return values.length === 1 ? values[0]! : null;
}
