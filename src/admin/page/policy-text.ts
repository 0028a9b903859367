import type { Policy } from '../../policy/policy.ts';

const longest = 400;

/** A policy in a line, for people: `OU is ITOps or SecOps, and not (CN is a*)`. Cut where it goes on and on. */
export function policyText(policy: Policy): string {
  const text = textOf(policy, false);
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

function textOf(policy: Policy, inner: boolean): string {
  if (policy.kind === 'rule') {
    const wanted = policy.matchers.slice(0, 20).map(({ text }) => text);
    if (policy.matchers.length > wanted.length) wanted.push(`${policy.matchers.length - wanted.length} more`);
    return `${policy.fact} is ${wanted.length === 0 ? 'nothing: nobody is let in' : wanted.join(' or ')}`;
  }
  if (policy.kind === 'not') return `not (${textOf(policy.part, false)})`;
  if (policy.parts.length === 0) return 'nobody is let in';
  const [only] = policy.parts;
  if (policy.parts.length === 1) return textOf(only!, inner);
  const text = policy.parts
    .slice(0, 50)
    .map((part) => textOf(part, true))
    .join(policy.kind === 'all' ? ', and ' : ', or ');
  return inner ? `(${text})` : text;
}
