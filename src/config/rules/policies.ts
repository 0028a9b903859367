import { compilePolicy } from '../../policy/compile.ts';
import { error, type Finding, pointer, warning } from '../problem.ts';
import type { Config, PolicyConfig } from '../schema.ts';

/** Policies compile, and none of them says nothing. */
export function checkPolicies(config: Config): Finding[] {
  return config.hosts.flatMap((host, index) => {
    const path = pointer('hosts', index);
    return [
      ...policyFindings(host.policy, `${path}/policy`),
      ...host.routes.flatMap((route, number) =>
        policyFindings(route.policy, `${path}/routes/${number}/policy`),
      ),
    ];
  });
}

/** What is wrong with one policy. */
export function policyFindings(policy: PolicyConfig | undefined, path: string): Finding[] {
  if (policy === undefined) return [];
  const result = compilePolicy(policy, path);
  const faults = 'problems' in result ? result.problems.map((fault) => error(fault.path, fault.message)) : [];
  return [...faults, ...emptyLists(policy, path, false)];
}

/** An empty list matches nothing. Under a `not` that turns into everything, which nobody can have meant. */
function emptyLists(rules: PolicyConfig, path: string, negated: boolean): Finding[] {
  return Object.entries(rules).flatMap(([key, value]): Finding[] => {
    const place = path + pointer(key);
    if (key === 'not') return emptyLists(value as PolicyConfig, place, !negated);
    if (Array.isArray(value)) {
      if (value.length === 0) return [emptyList(place, negated)];
      if (key !== 'all' && key !== 'any') return [];
      return (value as PolicyConfig[]).flatMap((part, index) =>
        emptyLists(part, `${place}/${index}`, negated),
      );
    }
    if ((key === 'subject' || key === 'issuer') && typeof value === 'object') {
      return emptyLists(value as PolicyConfig, place, negated);
    }
    return [];
  });
}

function emptyList(path: string, negated: boolean): Finding {
  return negated
    ? error(path, 'an empty list matches nothing, so `not` lets everyone in: write what is not allowed')
    : warning(path, 'an empty list matches nothing: nobody is let in');
}
