import type { PolicyReason } from '../snapshot/reason.ts';
import type { Identity } from '../tls/identity.ts';

/** A compiled policy: a frozen tree of rules. Made by `compilePolicy`, asked through `evaluate`. */
export type Policy = AllOf | AnyOf | Not | Rule;

/** Every part must hold. Without parts it denies, under `not` too: an empty list lets no one in (rule 1). */
export interface AllOf {
  readonly kind: 'all';
  readonly parts: readonly Policy[];
}

/** One part must hold. Without parts it denies, under `not` too. */
export interface AnyOf {
  readonly kind: 'any';
  readonly parts: readonly Policy[];
}

/**
 * The part must not hold. Over a fact that the identity lacks that is true by logic: `not: { ou: Sales }` lets a
 * certificate without any OU through. Where the part cannot be judged, this cannot either, and denies.
 */
export interface Not {
  readonly kind: 'not';
  readonly part: Policy;
}

/** One fact of the identity, and what it may be. */
export interface Rule {
  readonly kind: 'rule';
  /** Names the fact for people: `OU`, `subject L`, `DNS name`. */
  readonly fact: string;
  readonly reason: PolicyReason;
  /** The values that the identity has for the fact; several for a multi-valued one. */
  readonly values: (identity: Identity) => readonly string[];
  /** Any of them may match any of the values. Empty: the rule denies, under `not` too. */
  readonly matchers: readonly ValueTest[];
}

export interface ValueTest {
  /** The matcher as written, for explanations. */
  readonly text: string;
  readonly test: (value: string) => boolean;
  /** Longer values (UTF-16 code units) are not tested: the rule then neither holds nor fails, and denies. */
  readonly maxLength?: number;
}

/** What a policy said of an identity. A denial names the rule that missed by the least. */
export type PolicyResult =
  | { readonly allowed: true }
  | {
      readonly allowed: false;
      readonly reason: PolicyReason;
      /** For the operator: ``OU was `Sales`, the rule wants `ITOps` ``. Never sent to the client. */
      readonly detail: string;
    };
