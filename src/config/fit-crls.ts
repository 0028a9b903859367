import type { Material } from '../snapshot/compile.ts';
import { issuersIn, readLists } from '../tls/crl-file.ts';
import { UnusableCrl } from '../tls/revocation-list.ts';
import type { CheckMemory } from './check-memory.ts';
import { readCrlFile } from './crls.ts';
import { error, type Finding } from './problem.ts';
import type { HostConfig } from './schema.ts';
import { ordinal, quote } from './text.ts';
import { crlFilesOf, trustPlaces } from './trust-config.ts';

/** The CRLs of a file that cannot be read, or that ask for what is not honoured here. */
export function unreadableCrls(path: string, file: string, pem: string): Finding[] {
  return readLists(pem).flatMap((list, index) =>
    list instanceof UnusableCrl
      ? [error(path, `the ${ordinal(index + 1)} CRL in ${quote(file)} cannot be read: ${list.message}`)]
      : [],
  );
}

/** CRLs that bear the name of a CA in a trust store of the host and are not of it. Those that cannot be read aside. */
export function foreignCrls(
  host: HostConfig,
  path: string,
  material: Material,
  memory: CheckMemory,
): Finding[] {
  return trustPlaces(host, path).flatMap((place) => {
    const ca = material.get(place.trust.ca ?? '');
    if (ca === undefined) return [];
    return crlFilesOf(place.trust).flatMap(({ file, place: at }) => {
      const pem = material.get(file);
      if (pem === undefined) return [];
      const faults = memory.about('crl of ca', [pem, ca, file], () => {
        if (readLists(pem).some((list) => list instanceof UnusableCrl)) return [];
        return readCrlFile(file, pem, issuersIn(ca)).faults;
      });
      return faults.map((fault) => error(place.crlPath + at, fault));
    });
  });
}
