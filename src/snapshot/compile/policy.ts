import type { HostConfig } from '../../config/schema.ts';
import { compilePolicy } from '../../policy/compile.ts';
import type { Policy } from '../../policy/policy.ts';
import type { CompileContext } from './context.ts';

/** The policy of a host or route; null where there is none. One that does not compile is a problem. */
export function compileHostPolicy(
  context: CompileContext,
  config: HostConfig['policy'],
  path: string,
): Policy | null {
  if (config === undefined) return null;
  const result = compilePolicy(config, path);
  if ('policy' in result) return result.policy;
  context.problems.push(...result.problems);
  return denyAll;
}

/** Stands for a policy that did not compile; the snapshot that holds it is never handed out. */
const denyAll: Policy = Object.freeze({ kind: 'any', parts: Object.freeze([]) });
