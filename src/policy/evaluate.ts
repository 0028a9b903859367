import type { Identity } from '../tls/identity.ts';
import { describeDenial } from './denial.ts';
import { explainPolicy } from './explain.ts';
import { judgeRule } from './judge.ts';
import type { Policy, PolicyResult } from './policy.ts';
import { combine, negate, type Truth } from './truth.ts';

const allowed: PolicyResult = Object.freeze({ allowed: true });

function holds(policy: Policy, identity: Identity): Truth {
  if (policy.kind === 'rule') return judgeRule(policy, identity);
  if (policy.kind === 'not') return negate(holds(policy.part, identity));
  return combine(policy.kind, policy.parts, (part) => holds(part, identity));
}

/**
 * Asks a policy of a verified identity. Allowed only where it is certain that the policy holds; a denial
 * carries the reason and the detail of the rule that missed by the least. Pure, and called per request.
 */
export function evaluate(policy: Policy, identity: Identity): PolicyResult {
  if (holds(policy, identity) === true) return allowed;
  return describeDenial(explainPolicy(policy, identity));
}
