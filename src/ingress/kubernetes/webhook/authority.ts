import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { altNameOf } from '../../../pki/alt-name.ts';
import { issueCertificate } from '../../../pki/authority.ts';
import { PkiError } from '../../../pki/error.ts';
import { issuerOf } from '../../../pki/issuer.ts';
import { keyToPem, makeKey } from '../../../pki/key.ts';
import { attributeOid, encodeName } from '../../../pki/name.ts';
import { purposeOids } from '../../../pki/oid.ts';
import { readCertificates, toPem } from '../../../pki/pem.ts';
import type { BoundedIssuer } from '../../../pki/signing.ts';

/** How long certificates are valid, in milliseconds. A third of that before its end a new one is made. */
export interface Lifetimes {
  readonly authorityMs: number;
  readonly servingMs: number;
}

const day = 86_400_000;
export const standardLifetimes: Lifetimes = { authorityMs: 365 * day, servingMs: 30 * day };

/** A clock that is behind takes a new certificate all the same. */
const backdateMs = day;

/** The CA in use and those before it that are trusted still. */
const maxAuthorities = 3;

/** Who signs the webhook's certificates. All replicas have the same, from one Secret. */
export interface Authority {
  /** PEM: of the CA in use, and of those before it that have not ended. What the API server is told to trust. */
  readonly bundle: readonly string[];
  readonly keyPem: string;
  readonly issuer: BoundedIssuer;
  /** The last part of the webhook's path. Nobody but the API server, which is told, can know it. */
  readonly token: string;
}

export interface ServingCertificate {
  readonly cert: string;
  readonly key: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

const tokenForm = /^[A-Za-z0-9_-]{43}$/;

/** A new CA. What was trusted before stays so until it ends, for there are certificates of it in use. */
export async function makeAuthority(
  before: Authority | null,
  { authorityMs }: Lifetimes,
  now: number,
): Promise<Authority> {
  const { privateKey } = await makeKey({ algo: 'ecdsa', size: 256 });
  const { der } = issueCertificate(
    {
      subject: encodeName([[{ oid: attributeOid('CN'), value: 'mtls-ingress webhook' }]]),
      publicKey: privateKey,
      notBefore: now - backdateMs,
      notAfter: now + authorityMs,
      keyUsages: ['cert sign'],
      ca: { pathLen: 0 },
    },
    { selfSignedBy: privateKey },
  );
  const former = (before?.bundle ?? []).filter((pem) => endOf(pem) > now);
  return {
    bundle: [toPem('CERTIFICATE', der), ...former].slice(0, maxAuthorities),
    keyPem: keyToPem(privateKey),
    issuer: issuerOf(der, privateKey),
    token: before?.token ?? randomBytes(32).toString('base64url'),
  };
}

/** As the data of a Secret, in base64. */
export function dataOf({ bundle, keyPem, token }: Authority): Readonly<Record<string, string>> {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return { 'ca.crt': base64(bundle.join('')), 'ca.key': base64(keyPem), token: base64(token) };
}

/** Reads the data of a Secret, believed in nothing. Null where it holds none, or none that can be used. */
export function authorityOf(data: unknown): Authority | null {
  const text = (name: string): string => {
    const value = ((data ?? {}) as Readonly<Record<string, unknown>>)[name];
    return typeof value === 'string' ? Buffer.from(value, 'base64').toString('latin1') : '';
  };
  const token = text('token');
  if (!tokenForm.test(token)) return null;
  try {
    const ders = readCertificates(Buffer.from(text('ca.crt'), 'latin1'), 'ca.crt');
    if (ders.length > maxAuthorities) return null;
    const key = createPrivateKey(text('ca.key'));
    return {
      bundle: ders.map((der) => toPem('CERTIFICATE', der)),
      keyPem: keyToPem(key),
      issuer: issuerOf(ders[0]!, key),
      token,
    };
  } catch {
    // What cannot be used, for whatever reason, is made anew.
    return null;
  }
}

interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** A third of its time is left, or less. */
export function isDue(validity: Validity, now: number): boolean {
  return partLeft(validity, now) <= 1 / 3;
}

/** It ends so soon that nothing is waited for any more. */
export function isLast(validity: Validity, now: number): boolean {
  return partLeft(validity, now) <= 1 / 12;
}

/** Of the time that it was made for. */
function partLeft({ notBefore, notAfter }: Validity, now: number): number {
  return (notAfter - now) / (notAfter - notBefore - backdateMs);
}

/**
 * A certificate for these names and addresses. It ends no later than the CA does.
 *
 * @throws PkiError where the CA has ended.
 */
export async function issueServing(
  { issuer }: Authority,
  names: readonly string[],
  { servingMs }: Lifetimes,
  now: number,
): Promise<ServingCertificate> {
  const notBefore = Math.max(now - backdateMs, issuer.notBefore);
  const notAfter = Math.min(now + servingMs, issuer.notAfter);
  if (notAfter <= now) throw new PkiError('the CA of the webhook has ended');
  const { privateKey } = await makeKey({ algo: 'ecdsa', size: 256 });
  const { der } = issueCertificate(
    {
      subject: encodeName([[{ oid: attributeOid('CN'), value: 'mtls-ingress webhook' }]]),
      publicKey: privateKey,
      notBefore,
      notAfter,
      keyUsages: ['digital signature'],
      purposes: [purposeOids['server auth']!],
      altNames: names.map(altNameOf),
    },
    issuer,
  );
  return { cert: toPem('CERTIFICATE', der), key: keyToPem(privateKey), notBefore, notAfter };
}

function endOf(pem: string): number {
  return new X509Certificate(pem).validToDate.getTime();
}
