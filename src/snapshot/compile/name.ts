import { anyName, normaliseHostName } from '../host-name.ts';
import type { CompileContext } from './context.ts';

/** A name of a host, normalised; `*.` in front for one label, `*` alone for all that is nobody else's. */
export function compileName(context: CompileContext, name: string, path: string): string {
  if (name === anyName) return name;
  const wildcard = name.startsWith('*.');
  const normal = normaliseHostName(wildcard ? name.slice(2) : name);
  if (normal === null) {
    context.problem(path, `${name} is no host name, IP address or *.name with one wildcard label`);
    return name;
  }
  return wildcard ? `*.${normal}` : normal;
}
