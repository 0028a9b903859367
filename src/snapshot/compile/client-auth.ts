import { defaults } from '../../config/defaults.ts';
import type { HostConfig } from '../../config/schema.ts';
import type { ClientAuth } from '../snapshot.ts';
import { type CompileContext, digest } from './context.ts';

/** How a host asks for client certificates; a mode without its trust store is a problem (rule 1). */
export function compileClientAuth(
  context: CompileContext,
  config: HostConfig['clientAuth'],
  path: string,
): ClientAuth {
  const mode = config?.mode ?? 'off';
  if (config === undefined || mode === 'off') {
    return Object.freeze({ mode: 'off', strict: false, ca: null, crl: null, verifyDepth: 0, key: null });
  }
  const strict = config.strict ?? false;
  const verifyDepth = config.verifyDepth ?? defaults.verifyDepth;
  // Node would fall back to the public CAs of the web if it were given none.
  if (config.ca === undefined) context.problem(path, `mode ${mode} needs a ca: the file of CAs to trust`);
  if (strict && mode !== 'require') context.problem(`${path}/strict`, 'strict needs mode require');
  const ca = config.ca === undefined ? '' : context.file(config.ca, `${path}/ca`);
  const crl = config.crl === undefined ? null : context.file(config.crl, `${path}/crl`);
  const key = digest(mode, String(strict), String(verifyDepth), ca, crl === null ? 'none' : `crl ${crl}`);
  return Object.freeze({ mode, strict, ca, crl, verifyDepth, key });
}
