import { type CrlFileContents, readCrlFile } from '../../config/crls.ts';
import { defaults } from '../../config/defaults.ts';
import { crlFilesOf, type TrustConfig } from '../../config/trust-config.ts';
import { issuersIn } from '../../tls/crl-file.ts';
import type { CrlIssuer } from '../../tls/crl-issuer.ts';
import type { RevocationList } from '../../tls/revocation-list.ts';
import { indexLists, type Revocation } from '../../tls/revocation.ts';
import type { CompileContext } from './context.ts';
import { duration } from './duration.ts';

/** What hosts have in common, in one compilation: a thousand of them may name one CA and one large CRL. */
class Common {
  readonly issuers = new Map<string, readonly CrlIssuer[]>();
  /** By CA, then by file. */
  readonly files = new Map<string, Map<string, CrlFileContents>>();
  /** One for each way to ask, so that two trust stores that ask alike are seen to. */
  readonly revocations = new Map<string, Revocation>();
}

const common = new WeakMap<CompileContext, Common>();

function get<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}

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
  let shared = common.get(context);
  if (shared === undefined) common.set(context, (shared = new Common()));
  const issuers = get(shared.issuers, ca, () => issuersIn(ca));
  const known = get(shared.files, ca, () => new Map<string, CrlFileContents>());
  const lists: RevocationList[] = [];
  for (const { file, place } of files) {
    const pem = context.file(file, path + place);
    if (pem === '') continue;
    const contents = get(known, file, () => readCrlFile(file, pem, issuers));
    for (const fault of contents.faults) context.problem(path + place, fault);
    lists.push(...contents.lists);
  }
  const key = JSON.stringify([files.map(({ file }) => file), check, stale, grace, missing]);
  return get(shared.revocations, key, () =>
    Object.freeze({ check, stale, graceMs: duration(grace, 0), missing, lists: indexLists(lists) }),
  );
}
