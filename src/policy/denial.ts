import { quote } from '../config/text.ts';
import type { PolicyReason } from '../snapshot/reason.ts';
import type { Excerpt, ExplainedRule, Explanation } from './explain.ts';
import type { PolicyResult } from './policy.ts';

/** A way to a yes that was not taken: how far it was, and the rule that stood in it. */
interface Miss {
  /** Two for each rule that came out wrong, one more where the identity lacks the fact altogether. */
  readonly distance: number;
  /** Rules on the way that came out right: of two ways of the same length, the one with more is the nearer. */
  readonly agreed: number;
  readonly reason: PolicyReason;
  readonly detail: () => string;
}

const shown = 3;

/** ``nothing``, `` `a` ``, `` `a`, `b` and 7 more``. Quoted, on one line, cut. */
function list({ texts, count }: Excerpt): string {
  const first = texts.slice(0, shown).map((text) => quote(text.replaceAll('`', '\\u{60}')));
  if (count > shown) return `${first.join(', ')} and ${count - shown} more`;
  return first.length < 2 ? first.join('') : `${first.slice(0, -1).join(', ')} and ${first.at(-1)!}`;
}

function wanted({ fact, holds, saw, wants }: ExplainedRule): string {
  if (wants.count === 0) return `${fact}: the rule's list is empty and lets no one in`;
  const demand = wants.count === 1 ? list(wants) : `one of ${list(wants)}`;
  if (saw.count === 0) return `no ${fact}, the rule wants ${demand}`;
  const judged = holds === null ? ', too long to be tried' : '';
  return `${fact} was ${list(saw)}${judged}, the rule wants ${demand}`;
}

function unwanted({ fact, holds, saw, wants }: ExplainedRule): string {
  if (wants.count === 0) return `${fact}: the rule's list is empty and lets no one in`;
  const judged = holds === null ? ', too long to be tried against' : ', ruled out by';
  return `${fact} was ${list(saw)}${judged} ${list(wants)}`;
}

function ruleMiss(rule: ExplainedRule, wish: boolean): Miss {
  return {
    distance: wish && rule.saw.count === 0 ? 3 : 2,
    agreed: 0,
    reason: wish ? rule.reason : 'policy_not',
    detail: () => (wish ? wanted(rule) : unwanted(rule)),
  };
}

/** Of several misses the one by the least; the first of equals. */
const nearest = (misses: readonly Miss[]): Miss =>
  misses.reduce((best, miss) =>
    miss.distance < best.distance || (miss.distance === best.distance && miss.agreed > best.agreed)
      ? miss
      : best,
  );

/** The rules in a tree that came out as wished, given what a `not` around them turns the wish into. */
function agreeing(part: Explanation, wish: boolean): number {
  if (part.kind === 'rule') return part.holds === wish ? 1 : 0;
  if (part.kind === 'not') return agreeing(part.part, !wish);
  return part.parts.reduce((sum, each) => sum + agreeing(each, wish), 0);
}

/** How a part missed the wish. Only asked of a part that did. */
function missOf(part: Explanation, wish: boolean): Miss {
  if (part.kind === 'rule') return ruleMiss(part, wish);
  if (part.kind === 'not') return missOf(part.part, !wish);
  const misses = part.parts.filter(({ holds }) => holds !== wish).map((each) => missOf(each, wish));
  if (misses.length === 0) {
    return {
      distance: 3,
      agreed: 0,
      reason: 'policy_empty',
      detail: () => `the policy has an empty \`${part.kind}\`, which lets no one in`,
    };
  }
  const best = nearest(misses);
  // Every part of `all` has to hold, and by De Morgan every part of an `any` that must not.
  if ((part.kind === 'all') !== wish) return best;
  const distance = misses.reduce((sum, miss) => sum + miss.distance, 0);
  return { ...best, distance, agreed: agreeing(part, wish) };
}

/** The denial that an explanation amounts to: reason and detail of the rule that missed by the least. */
export function describeDenial(explanation: Explanation): PolicyResult {
  const { reason, detail } = missOf(explanation, true);
  return Object.freeze({ allowed: false, reason, detail: detail() });
}
