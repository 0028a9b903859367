import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { ClientChain } from '../explain/question.ts';
import { parseTime } from '../explain/time.ts';
import type { AltName } from '../pki/alt-name.ts';
import { issueCertificate, type Issuer } from '../pki/authority.ts';
import { randomSerial } from '../pki/certificate.ts';
import { attributeOid, encodeName, type Name } from '../pki/name.ts';
import { purposeOids } from '../pki/oid.ts';
import { day } from '../pki/time.ts';
import { readIdentity } from '../tls/identity-reader.ts';
import type { CertificateFields } from './schema.ts';
import type { StandIns, StandInStore } from './stand-ins.ts';

/** A certificate that was made for a test. */
export interface MadeCertificate {
  readonly chain: ClientChain;
  /** Big-endian magnitude. */
  readonly serial: Uint8Array;
}

/** One for all of a run: what is tested is what certificates say. */
let leafKey: KeyObject | null = null;

/**
 * Makes the certificate that a test describes, in memory. OpenSSL can only be asked of this moment, so the one that it is
 * shown has its dates moved by as much as the test's time is away from it; what policies see is the other, with the dates
 * as they were meant.
 *
 * @param store Whose CA issues it; null where certificates are not asked for.
 * @param time Milliseconds since 1970: that of the test, and now.
 */
export function makeCertificate(
  fields: CertificateFields,
  store: StandInStore | null,
  standIns: StandIns,
  time: { readonly test: number; readonly now: number },
): MadeCertificate {
  leafKey ??= generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const key = leafKey;
  const { issuer, chain } = issuerOf(fields.issuer, store, standIns);
  const serial =
    fields.serial === undefined ? randomSerial() : Buffer.from(fields.serial.replaceAll(':', ''), 'hex');
  const notBefore =
    momentOf(fields.notBefore) ?? Math.min(time.test, momentOf(fields.notAfter) ?? Infinity) - day;
  const notAfter = momentOf(fields.notAfter) ?? Math.max(time.test, notBefore) + 365 * day;
  const { usage = 'client' } = fields;
  const made = (moved: number): Buffer =>
    issueCertificate(
      {
        subject: encodeName(nameOf(fields.subject ?? {})),
        publicKey: key,
        notBefore: notBefore + moved,
        notAfter: notAfter + moved,
        keyUsages: ['digital signature'],
        purposes: usage === 'none' ? [] : [purposeOids[`${usage} auth`]!],
        altNames: altNamesOf(fields),
        serial,
      },
      issuer ?? { selfSignedBy: key },
    ).der;
  const identity = readIdentity(made(0));
  return { chain: { chain: [made(time.now - time.test), ...chain], identity }, serial };
}

function issuerOf(
  issuer: CertificateFields['issuer'],
  store: StandInStore | null,
  standIns: StandIns,
): { readonly issuer: Issuer | null; readonly chain: readonly Buffer[] } {
  if (issuer === 'self-signed') return { issuer: null, chain: [] };
  if (issuer === 'untrusted' || store === null) return standIns.nobody;
  if (issuer === undefined) return store.authorities[0]!;
  return standIns.authority(store, typeof issuer === 'string' ? issuer : nameOf(issuer));
}

function nameOf(attributes: Readonly<Record<string, string | string[]>>): Name {
  return Object.entries(attributes).flatMap(([type, values]) =>
    listOf(values).map((value) => [{ oid: attributeOid(type), value }]),
  );
}

function altNamesOf(fields: CertificateFields): readonly AltName[] {
  return (['dns', 'uri', 'email', 'ip'] as const).flatMap((type) =>
    listOf(fields[type] ?? []).map((value): AltName => ({ type, value })),
  );
}

const listOf = (values: string | readonly string[]): readonly string[] =>
  typeof values === 'string' ? [values] : values;

const momentOf = (text: string | undefined): number | null => (text === undefined ? null : parseTime(text));
