import { foreignSignature, readLists } from '../tls/crl-file.ts';
import type { CrlIssuer } from '../tls/crl-issuer.ts';
import { RevocationList } from '../tls/revocation-list.ts';
import { readPem } from './pem.ts';
import { ordinal, quote } from './text.ts';

/** What a file of CRLs holds for a trust store. */
export interface CrlFileContents {
  readonly lists: readonly RevocationList[];
  /** Why some, or all, do not count; a sentence each. */
  readonly faults: readonly string[];
}

/**
 * Reads a file of CRLs for a trust store, and says of each that cannot count there why: one that is dropped in silence
 * would let in whom it lists.
 *
 * @param pem PEM. @param issuers The CAs of the trust store.
 */
export function readCrlFile(file: string, pem: string, issuers: readonly CrlIssuer[]): CrlFileContents {
  const lists: RevocationList[] = [];
  const faults: string[] = [];
  const read = readLists(pem);
  if (readPem(pem).isCut) faults.push(`${quote(file)} is cut off or damaged: a BEGIN line has no END line`);
  else if (read.length === 0) faults.push(`${quote(file)} holds no CRL`);
  for (const [index, list] of read.entries()) {
    const which = `the ${ordinal(index + 1)} CRL in ${quote(file)}`;
    if (!(list instanceof RevocationList)) {
      faults.push(`${which} cannot be read: ${list.message}`);
      continue;
    }
    const foreign = foreignSignature(list, issuers);
    if (foreign === null) lists.push(list);
    else faults.push(`${which} ${foreign}`);
  }
  return { lists, faults };
}
