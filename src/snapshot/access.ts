import type { AddressRanges } from '../tls/cidr.ts';

/** Who may use a route, beside what certificates say. */
export interface Access {
  /** `any`: the address or one authentication is enough (nginx's satisfy). */
  readonly satisfy: 'all' | 'any';
  /** Null: addresses are not looked at. */
  readonly addresses: AddressRule | null;
  readonly basicAuth: BasicAuth | null;
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

/** How much one client may ask for, counted by its address. */
export interface RateLimit {
  /** Requests per second, and how many of them at once; null: not limited. */
  readonly rates: readonly { readonly perSecond: number; readonly burst: number }[];
  /** Requests of one client under way at once; Infinity for any. */
  readonly connections: number;
  readonly exempt: AddressRanges | null;
  readonly status: number;
}

/** Whether an address passes a rule. */
export function allowsAddress(rule: AddressRule, address: string): boolean {
  if (rule.deny?.contains(address) === true) return false;
  return rule.allow === null || rule.allow.contains(address);
}
