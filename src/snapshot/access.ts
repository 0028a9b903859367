import type { KeyTemplate } from './key-template.ts';
import type { TargetTemplate } from './target-template.ts';
import type { AddressRanges } from '../tls/cidr.ts';

/** Who may use a route, beside what certificates say. */
export interface Access {
  /** `any`: the address or one authentication is enough (nginx's satisfy). */
  readonly satisfy: 'all' | 'any';
  /** Null: addresses are not looked at. */
  readonly addresses: AddressRule | null;
  readonly basicAuth: BasicAuth | null;
  readonly external: ExternalAuth | null;
}

/** Denied first, then only those allowed, as ingress-nginx writes its `deny` and `allow` lines. */
export interface AddressRule {
  readonly deny: AddressRanges | null;
  /** Null: everyone. Empty: no one (rule 1). */
  readonly allow: AddressRanges | null;
}

export interface BasicAuth {
  readonly realm: string;
  /** User name to password hash, as `htpasswd` writes them. Empty: no one. */
  readonly users: ReadonlyMap<string, string>;
}

/** A service that is asked about each request: nginx's auth_request as ingress-nginx sets it up. */
export interface ExternalAuth {
  readonly upstream: string;
  readonly target: TargetTemplate;
  /** Null: the client's. */
  readonly host: string | null;
  readonly method: string;
  /** Lower-case name, to name and value of a header of the question; one whose value is empty is taken off. */
  readonly headers: ReadonlyMap<string, readonly [name: string, value: TargetTemplate]>;
  /** As written. */
  readonly responseHeaders: readonly string[];
  readonly signin: TargetTemplate | null;
  /** Empty: none is added. */
  readonly signinParameter: string;
  readonly redirect: TargetTemplate;
  readonly alwaysSetCookie: boolean;
  /** Which answers are remembered, by what and for how long; null: none. */
  readonly cache: {
    readonly key: KeyTemplate;
    /** Milliseconds, by status; above 0. */
    readonly durations: ReadonlyMap<number, number>;
  } | null;
}

/** How much one client may ask for, counted by its address. */
export interface RateLimit {
  /** Requests per second, and how many of them at once; null: not limited. */
  readonly rates: readonly { readonly perSecond: number; readonly burst: number }[];
  /** Requests of one client under way at once; Infinity for any. */
  readonly connections: number;
  /** How fast one response goes to the client; null: as it comes. */
  readonly pace: { readonly bytesPerSecond: number; readonly after: number } | null;
  readonly exempt: AddressRanges | null;
  /** Of what is refused by a rate. */
  readonly status: number;
  /** Of what is refused by `connections`. */
  readonly connectionsStatus: number;
}

/**
 * What a route's access rules say before any authentication: refuse, let in, or ask for the authentication. With
 * `any`, an address that is allowed needs none, and one that is not may still authenticate.
 */
export function admit(access: Access | null, address: string): 'refuse' | 'authenticate' | 'pass' {
  if (access === null) return 'pass';
  const authenticates = access.basicAuth !== null || access.external !== null;
  const { addresses } = access;
  if (addresses === null) return authenticates ? 'authenticate' : 'pass';
  const allowed = allows(addresses, address);
  if (access.satisfy === 'any' && authenticates) return allowed ? 'pass' : 'authenticate';
  if (!allowed) return 'refuse';
  return authenticates ? 'authenticate' : 'pass';
}

function allows({ deny, allow }: AddressRule, address: string): boolean {
  if (deny?.contains(address) === true) return false;
  return allow === null || allow.contains(address);
}
