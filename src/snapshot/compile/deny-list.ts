import { compileDenyList, type DenyList } from '../../policy/deny-list.ts';
import type { CompileContext } from './context.ts';

/** The deny list of a configuration; null where it names none. One that does not compile is a problem (rule 1). */
export function compileDenyListFile(context: CompileContext, file: string | undefined): DenyList | null {
  if (file === undefined) return null;
  const text = context.file(file, '/denyList');
  if (text === '') return null;
  // Files are kept octet by octet.
  const compiled = compileDenyList(file, Buffer.from(text, 'latin1').toString('utf8'));
  if ('list' in compiled) return compiled.list;
  for (const message of compiled.problems) context.problem('/denyList', message);
  return null;
}
