import { X509Certificate } from 'node:crypto';
import { blocksFor } from '../config/pem.ts';

/** The CA certificates of a host, read: what a chain is followed through after OpenSSL took it. */
export class TrustStore {
  readonly certificates: readonly X509Certificate[];
  readonly #bySubject: ReadonlyMap<string, readonly X509Certificate[]>;

  /**
   * @param ca PEM. Read certificate by certificate: Node takes a `ca` that does not parse without a word, and
   *   for an empty one it trusts the public CAs of the web (rule 1).
   * @throws Error where there is no certificate, or one does not parse.
   */
  constructor(ca: string | null) {
    const blocks = blocksFor('ca', ca ?? '');
    if (blocks.length === 0) throw new Error('the trust store holds no certificate');
    this.certificates = blocks.map((pem) => new X509Certificate(pem));
    this.#bySubject = Map.groupBy(this.certificates, (certificate) => certificate.subject);
  }

  /** Those that by name and key identifier may have issued a certificate; no signature is looked at. */
  issuersOf(certificate: X509Certificate): readonly X509Certificate[] {
    const named = this.#bySubject.get(certificate.issuer) ?? [];
    return named.filter((issuer) => certificate.checkIssued(issuer));
  }
}
