import { generateKeyPairSync } from 'node:crypto';
import { issueCertificate, type Issuer } from '../pki/authority.ts';
import { signCrl } from '../pki/crl.ts';
import { nameText } from '../pki/describe.ts';
import { toPem } from '../pki/pem.ts';

/** Dates that hold for any test. */
const always = { notBefore: Date.UTC(1970, 0, 2), notAfter: Date.UTC(9000, 0, 1) } as const;

/** A CA that is made for one run and forgotten with it. Its key is never written anywhere. */
export interface StandInCa {
  /** RFC 2253. */
  readonly name: string;
  readonly der: Buffer;
  readonly pem: string;
  readonly issuer: Issuer;
  /** What its clients send along: itself and those above it, but for the root. DER. */
  readonly chain: readonly Buffer[];
}

/** @param subject DER of its name. @param parent Left out: it is its own issuer. */
export function standInCa(subject: Uint8Array, parent: StandInCa | null = null): StandInCa {
  const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { der, keyId } = issueCertificate(
    { subject, publicKey: key, ...always, keyUsages: ['cert sign', 'crl sign'], ca: {} },
    parent?.issuer ?? { selfSignedBy: key },
  );
  return {
    name: nameText(subject),
    der,
    pem: toPem('CERTIFICATE', der),
    issuer: { name: subject, keyId, key },
    chain: parent === null ? [] : [der, ...parent.chain],
  };
}

/** Its CRL, PEM. */
export function crlOf({ issuer }: StandInCa, revoked: readonly Uint8Array[]): string {
  const head = {
    issuer: issuer.name,
    keyId: issuer.keyId,
    number: 1n,
    thisUpdate: always.notBefore,
    nextUpdate: always.notAfter,
  };
  const entries = revoked.map((serial) => ({ serial, at: always.notBefore }));
  return toPem('X509 CRL', signCrl(head, entries, issuer.key));
}
