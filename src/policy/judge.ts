import type { Identity } from '../tls/identity.ts';
import type { Rule } from './policy.ts';
import type { Truth } from './truth.ts';

/**
 * Whether one of the identity's values for the fact matches. Null where the rule has nothing to match with,
 * or where none did and a value was too long to be tried.
 */
export function judgeRule(rule: Rule, identity: Identity): Truth {
  const { matchers } = rule;
  let unsure = matchers.length === 0;
  for (const value of rule.values(identity)) {
    for (const { maxLength, test } of matchers) {
      if (maxLength !== undefined && value.length > maxLength) unsure = true;
      else if (test(value)) return true;
    }
  }
  return unsure ? null : false;
}
