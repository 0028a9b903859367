import { compileTarget, type TargetTemplate } from '../target-template.ts';
import type { CompileContext } from './context.ts';

/** A template of a target; one that cannot be read is a problem. */
export function compileTargetOf(context: CompileContext, text: string, place: string): TargetTemplate | null {
  const template = compileTarget(text);
  if (!('problem' in template)) return template;
  context.problem(place, template.problem);
  return null;
}
