import { formatRfc2253 } from '../../src/tls/distinguished-name.ts';
import type { DistinguishedName, Identity, SubjectAltNames } from '../../src/tls/identity.ts';

const types: Readonly<Record<string, string>> = {
  CN: '2.5.4.3',
  C: '2.5.4.6',
  L: '2.5.4.7',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  emailAddress: '1.2.840.113549.1.9.1',
};

/** A name of one attribute per RDN. */
export const nameOf = (
  ...attributes: readonly (readonly [type: string, value: string])[]
): DistinguishedName => attributes.map(([type, value]) => [{ oid: types[type] ?? type, value }]);

interface Facts {
  readonly subject?: DistinguishedName;
  readonly issuer?: DistinguishedName;
  readonly san?: Partial<SubjectAltNames>;
  readonly serial?: string;
  readonly sha256?: string;
  readonly sha1?: string;
  readonly spki?: string;
}

/** An identity with these facts, as `readIdentity` would give it. */
export function identityOf(facts: Facts = {}): Identity {
  const subject = facts.subject ?? nameOf(['O', 'Logpoint Nepal'], ['OU', 'ITOps'], ['CN', 'roshankhatri']);
  const issuer = facts.issuer ?? nameOf(['CN', 'Intermediate']);
  return {
    subject,
    issuer,
    subjectText: formatRfc2253(subject),
    issuerText: formatRfc2253(issuer),
    san: { dns: [], uri: [], email: [], ip: [], ...facts.san },
    serial: facts.serial ?? '0A1B',
    notBefore: 0,
    notAfter: Date.UTC(2050, 0),
    sha256: facts.sha256 ?? 'a'.repeat(64),
    sha1: facts.sha1 ?? 'b'.repeat(40),
    spki: facts.spki ?? 'c'.repeat(64),
    keyAlgorithm: 'id-ecPublicKey',
    signatureAlgorithm: 'ecdsa-with-SHA256',
    der: new Uint8Array(),
  };
}
