import type { KeyObject } from 'node:crypto';
import { readIdentity } from '../tls/identity-reader.ts';
import { issueCertificate } from './authority.ts';
import { reading } from './certificate-reader.ts';
import { signCsr } from './csr.ts';
import type { CsrRequest } from './csr-json.ts';
import type { IssuedRecord } from './database.ts';
import { keyToPem, makeKey } from './key.ts';
import { encodeName, type Name } from './name.ts';
import { attributeOids } from './oid.ts';
import { toPem } from './pem.ts';
import type { Profile } from './profile.ts';
import { type Applicant, type BoundedIssuer, signByProfile, type SigningResult } from './signing.ts';
import { wholeSeconds } from './time.ts';

/** A certificate and the key and request that were made along with it. PEM. */
export interface Made {
  readonly certificate: string;
  readonly key: KeyObject;
  readonly keyPem: string;
  readonly csr: string;
  readonly signed: SigningResult;
}

/** As cfssl: a root lasts five years unless its `ca` object says otherwise. */
const rootExpiry = 43_800 * 3_600_000;
const rootBackdate = 5 * 60_000;

/** The values of CN in a name to be written. */
export function commonNames(subject: Name): string[] {
  const values: string[] = [];
  for (const attributes of subject) {
    for (const { oid, value } of attributes) if (oid === attributeOids['CN']) values.push(String(value));
  }
  return values;
}

/** A self-signed root from a CSR's JSON. `now` in milliseconds. */
export async function makeRoot(request: CsrRequest, now: number): Promise<Made> {
  const { privateKey: key } = await makeKey(request.key);
  const subject = encodeName(request.subject);
  const minute = Math.round(now / 60_000) * 60_000;
  const notBefore = minute - (request.ca.backdate ?? rootBackdate);
  const notAfter = wholeSeconds(notBefore + (request.ca.expiry ?? rootExpiry));
  const { pathLen } = request.ca;
  const made = issueCertificate(
    {
      subject,
      publicKey: key,
      notBefore,
      notAfter,
      keyUsages: ['cert sign', 'crl sign'],
      altNames: request.hosts,
      ca: pathLen === undefined ? {} : { pathLen },
    },
    { selfSignedBy: key },
  );
  return {
    certificate: toPem('CERTIFICATE', made.der),
    key,
    keyPem: keyToPem(key),
    csr: toPem('CERTIFICATE REQUEST', signCsr(subject, request.hosts, key)),
    signed: { ...made, notBefore, notAfter, warnings: request.warnings },
  };
}

/** A new key and its certificate, signed by `issuer` as `profile` says. */
export async function makeCertificate(
  request: CsrRequest,
  profile: Profile,
  issuer: BoundedIssuer,
  now: number,
): Promise<Made> {
  const { privateKey: key } = await makeKey(request.key);
  const applicant: Applicant = {
    subject: encodeName(request.subject),
    commonNames: commonNames(request.subject),
    altNames: request.hosts,
    publicKey: key,
  };
  const signed = signByProfile(applicant, profile, issuer, now);
  return {
    certificate: toPem('CERTIFICATE', signed.der),
    key,
    keyPem: keyToPem(key),
    csr: toPem('CERTIFICATE REQUEST', signCsr(applicant.subject, request.hosts, key)),
    signed: { ...signed, warnings: [...request.warnings, ...signed.warnings] },
  };
}

/** What the issuer's database keeps of a certificate. */
export function issuedRecord(der: Uint8Array, profile: string, now: number): IssuedRecord {
  // What the proxy would refuse must not leave the house in the first place.
  const identity = reading('certificate the proxy would take', () => readIdentity(der));
  return {
    event: 'issued',
    at: new Date(now).toISOString(),
    serial: identity.serial,
    subject: identity.subjectText,
    notBefore: new Date(identity.notBefore).toISOString(),
    notAfter: new Date(identity.notAfter).toISOString(),
    profile,
    sha256: identity.sha256,
  };
}
