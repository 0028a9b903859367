import type { PolicyReason } from '../snapshot/reason.ts';
import type { Identity } from '../tls/identity.ts';
import { judgeRule } from './judge.ts';
import type { Policy } from './policy.ts';
import { combine, negate, type Truth } from './truth.ts';

/** A policy's tree with what each part came to. Plain data, bounded, fit for JSON. */
export type Explanation = ExplainedGroup | ExplainedNot | ExplainedRule;

export interface ExplainedGroup {
  readonly kind: 'all' | 'any';
  /** Null: not to be judged, and so denied. */
  readonly holds: Truth;
  readonly parts: readonly Explanation[];
}

export interface ExplainedNot {
  readonly kind: 'not';
  readonly holds: Truth;
  readonly part: Explanation;
}

export interface ExplainedRule {
  readonly kind: 'rule';
  readonly holds: Truth;
  /** `OU`, `subject L`, `DNS name`. */
  readonly fact: string;
  readonly reason: PolicyReason;
  /** What the identity has for the fact. */
  readonly saw: Excerpt;
  /** The matchers as written. */
  readonly wants: Excerpt;
}

/** The first of a number of texts, cut where they go on and on. */
export interface Excerpt {
  readonly texts: readonly string[];
  /** How many there are in all. */
  readonly count: number;
}

const shownTexts = 20;
const shownLength = 256;

const cut = (text: string): string => (text.length > shownLength ? `${text.slice(0, shownLength)}…` : text);

const excerpt = (texts: readonly string[]): Excerpt =>
  Object.freeze({
    texts: Object.freeze(texts.slice(0, shownTexts).map((text) => cut(text).toWellFormed())),
    count: texts.length,
  });

/** Every part of the policy with what it comes to for this identity: what `evaluate` decides by. */
export function explainPolicy(policy: Policy, identity: Identity): Explanation {
  if (policy.kind === 'rule') {
    return Object.freeze({
      kind: 'rule',
      holds: judgeRule(policy, identity),
      fact: policy.fact,
      reason: policy.reason,
      saw: excerpt(policy.values(identity)),
      wants: excerpt(policy.matchers.map(({ text }) => text)),
    });
  }
  if (policy.kind === 'not') {
    const part = explainPolicy(policy.part, identity);
    return Object.freeze({ kind: 'not', holds: negate(part.holds), part });
  }
  const parts = policy.parts.map((part) => explainPolicy(part, identity));
  const holds = combine(policy.kind, parts, (part) => part.holds);
  return Object.freeze({ kind: policy.kind, holds, parts: Object.freeze(parts) });
}
