import { readCrlFile } from '../../config/crls.ts';
import { defaults } from '../../config/defaults.ts';
import { crlFilesOf, type TrustConfig } from '../../config/trust-config.ts';
import { issuersIn } from '../../tls/crl-file.ts';
import type { RevocationList } from '../../tls/revocation-list.ts';
import { indexLists, type Revocation } from '../../tls/revocation.ts';
import type { CompileContext } from './context.ts';
import { duration } from './duration.ts';

/** One for each way to ask, so that two trust stores that ask alike are seen to. */
const compiled = new WeakMap<CompileContext, Map<string, Revocation>>();

/**
 * How a trust store asks about revocation; null where it has no CRL. A CRL that cannot count is a problem (rule 1).
 * @param ca PEM. @param path Of the `clientAuth`.
 */
export function compileRevocation(
  context: CompileContext,
  config: TrustConfig,
  ca: string,
  path: string,
): Revocation | null {
  const { check, stale, grace, missing } = { ...defaults.revocation, ...config.revocation };
  const files = crlFilesOf(config);
  if (config.crl === undefined) {
    if (config.revocation !== undefined) context.problem(`${path}/revocation`, 'there is no crl to ask');
    return null;
  }
  if (files.length === 0) context.problem(`${path}/crl`, 'names no file');
  if (stale === 'allow' && grace === undefined) {
    context.problem(`${path}/revocation/stale`, 'allow needs a grace');
  }
  const issuers = issuersIn(ca);
  const lists: RevocationList[] = [];
  for (const { file, place } of files) {
    const pem = context.file(file, path + place);
    if (pem === '') continue;
    const contents = readCrlFile(file, pem, issuers);
    for (const fault of contents.faults) context.problem(path + place, fault);
    lists.push(...contents.lists);
  }
  const known = compiled.get(context) ?? new Map<string, Revocation>();
  compiled.set(context, known);
  const key = JSON.stringify([files.map(({ file }) => file), check, stale, grace, missing]);
  let revocation = known.get(key);
  if (revocation === undefined) {
    const graceMs = duration(grace, 0);
    revocation = Object.freeze({ check, stale, graceMs, missing, lists: indexLists(lists) });
    known.set(key, revocation);
  }
  return revocation;
}
