import { createPrivateKey, type KeyObject } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AltName, altNameOf } from '../../src/pki/alt-name.ts';
import { issueCertificate, type Issuer } from '../../src/pki/authority.ts';
import { type RevocationReason, signCrl } from '../../src/pki/crl.ts';
import type { ExtensionInput, KeyUsage } from '../../src/pki/extension.ts';
import { type KeyKind, keyToPem, makeKey } from '../../src/pki/key.ts';
import {
  attributeOid,
  encodeName,
  type Name,
  type NameAttribute,
  type StringEncoding,
} from '../../src/pki/name.ts';
import { purposeOids } from '../../src/pki/oid.ts';
import { toPem } from '../../src/pki/pem.ts';
import { day } from '../../src/pki/time.ts';

/** `['CN', 'x']`, with a string type `['CN', 'x', 'bmp']`; bytes stand as they are. The type may be a dotted OID. */
export type TestAttribute = readonly [type: string, value: string | Uint8Array, encoding?: StringEncoding];
/** One RDN: one attribute, or a list of attributes for a multi-valued one. */
export type TestRdn = TestAttribute | readonly TestAttribute[];

export type TestKeyType = 'ec' | 'ec384' | 'rsa' | 'ed25519';

export interface AuthorityOptions {
  readonly cn: string;
  /** RDNs before the CN. */
  readonly names?: readonly TestRdn[];
  /** Without: a self-signed root. */
  readonly parent?: TestAuthority;
  readonly notBefore?: number | Date;
  readonly notAfter?: number | Date;
  readonly pathLen?: number;
  readonly key?: KeyObject;
  readonly keyType?: TestKeyType;
  /** false: a certificate that is used as a CA but does not say it is one. */
  readonly ca?: boolean;
  /** Raw extensions: take the place of ours of the same OID, else come last. */
  readonly extensions?: readonly ExtensionInput[];
}

export interface IssueOptions {
  /** The whole subject in certificate order; else `ou` and `cn` make it. */
  readonly subject?: readonly TestRdn[];
  readonly cn?: string;
  readonly ou?: string;
  /** Sorted into DNS, IP, e-mail and URI as cfssl does. */
  readonly hosts?: readonly string[];
  /** Typed names, after `hosts`; bytes stand as they are. */
  readonly san?: readonly AltName[];
  /** Default 'client'. 'none': no extended key usage at all. */
  readonly usage?: 'client' | 'server' | 'both' | 'none';
  readonly notBefore?: number | Date;
  readonly notAfter?: number | Date;
  readonly keyType?: TestKeyType;
  readonly key?: KeyObject;
  readonly serial?: Uint8Array;
  /** Raw extensions: take the place of ours of the same OID, else come last. */
  readonly extensions?: readonly ExtensionInput[];
  /** OIDs of extensions to leave out. */
  readonly without?: readonly string[];
}

export interface Issued {
  /** The certificate alone, PEM. */
  readonly cert: string;
  /** PKCS#8 PEM. */
  readonly key: string;
  /** The certificate and the intermediates up to but without the root, PEM. */
  readonly bundle: string;
  readonly der: Buffer;
  /** Upper-case hex. */
  readonly serial: string;
}

export interface CrlOptions {
  /** Certificates, or serials in hex; with a reason as `[certificate, reason]`. */
  readonly revoked: readonly (Issued | string | readonly [Issued | string, RevocationReason])[];
  readonly thisUpdate?: number | Date;
  readonly nextUpdate?: number | Date;
  readonly number?: bigint;
}

export interface TestAuthority {
  /** Its own certificate, PEM. */
  readonly cert: string;
  /** Itself and the intermediates above it, without the root; empty for a root. PEM. */
  readonly chain: string;
  /** PKCS#8 PEM. */
  readonly key: string;
  readonly der: Buffer;
  readonly serial: string;
  readonly issuer: Issuer;
  issue(options?: IssueOptions): Promise<Issued>;
  /** A current CRL, PEM. */
  crl(options?: CrlOptions): string;
}

const kinds: Readonly<Record<TestKeyType, KeyKind>> = {
  ec: { algo: 'ecdsa', size: 256 },
  ec384: { algo: 'ecdsa', size: 384 },
  rsa: { algo: 'rsa', size: 2048 },
  ed25519: { algo: 'ed25519' },
};

type RevokedItem = CrlOptions['revoked'][number];

function isPair(item: RevokedItem): item is readonly [Issued | string, RevocationReason] {
  return Array.isArray(item);
}

function isAttribute(rdn: TestRdn): rdn is TestAttribute {
  return typeof rdn[0] === 'string';
}

/** The DER of a name made of test RDNs. */
export function nameOf(rdns: readonly TestRdn[]): Buffer {
  const attribute = ([type, value, encoding]: TestAttribute): NameAttribute => {
    const oid = attributeOid(type);
    return encoding === undefined ? { oid, value } : { oid, value, encoding };
  };
  const name: Name = rdns.map((rdn) => (isAttribute(rdn) ? [rdn] : rdn).map(attribute));
  return encodeName(name);
}

const hex = (serial: Uint8Array): string =>
  Buffer.from(serial)
    .toString('hex')
    .toUpperCase()
    .replace(/^(?:00)+(?=..)/, '');

async function keyPair(key: KeyObject | undefined, type: TestKeyType = 'ec'): Promise<KeyObject> {
  return key ?? (await makeKey(kinds[type])).privateKey;
}

/** A certificate authority in memory, made by the program's own code. ECDSA P-256 unless told otherwise. */
export async function createAuthority(options: AuthorityOptions): Promise<TestAuthority> {
  const key = await keyPair(options.key, options.keyType);
  const subject = nameOf([...(options.names ?? []), ['CN', options.cn]]);
  const now = Date.now();
  const made = issueCertificate(
    {
      subject,
      publicKey: key,
      notBefore: Number(options.notBefore ?? now - day),
      notAfter: Number(options.notAfter ?? now + 3650 * day),
      keyUsages: ['cert sign', 'crl sign'],
      extensions: options.extensions ?? [],
      ...(options.ca === false
        ? {}
        : { ca: options.pathLen === undefined ? {} : { pathLen: options.pathLen } }),
    },
    options.parent?.issuer ?? { selfSignedBy: key },
  );
  const issuer: Issuer = { name: subject, keyId: made.keyId, key };
  const cert = toPem('CERTIFICATE', made.der);
  const chain = options.parent === undefined ? '' : cert + options.parent.chain;

  async function issue(leaf: IssueOptions = {}): Promise<Issued> {
    const leafKey = await keyPair(leaf.key, leaf.keyType);
    const usage = leaf.usage ?? 'client';
    const purposes: string[] = [];
    if (usage === 'server' || usage === 'both') purposes.push(purposeOids['server auth']!);
    if (usage === 'client' || usage === 'both') purposes.push(purposeOids['client auth']!);
    const keyUsages: KeyUsage[] = ['digital signature'];
    if (leafKey.asymmetricKeyType === 'rsa') keyUsages.push('key encipherment');
    const rdns = leaf.subject ?? [
      ...(leaf.ou === undefined ? [] : [['OU', leaf.ou] as const]),
      ...(leaf.cn === undefined ? [] : [['CN', leaf.cn] as const]),
    ];
    const signed = issueCertificate(
      {
        subject: nameOf(rdns),
        publicKey: leafKey,
        notBefore: Number(leaf.notBefore ?? now - day),
        notAfter: Number(leaf.notAfter ?? now + 365 * day),
        keyUsages,
        purposes,
        altNames: [...(leaf.hosts ?? []).map(altNameOf), ...(leaf.san ?? [])],
        extensions: leaf.extensions ?? [],
        without: leaf.without ?? [],
        ...(leaf.serial === undefined ? {} : { serial: leaf.serial }),
      },
      issuer,
    );
    const leafPem = toPem('CERTIFICATE', signed.der);
    return {
      cert: leafPem,
      key: keyToPem(leafKey),
      bundle: leafPem + chain,
      der: signed.der,
      serial: hex(signed.serial),
    };
  }

  let crlNumber = 0n;
  function crl(list: CrlOptions = { revoked: [] }): string {
    const at = Date.now();
    crlNumber = list.number ?? crlNumber + 1n;
    const entries = list.revoked.map((item) => {
      const [which, reason] = isPair(item) ? item : [item, undefined];
      const serial = Buffer.from(typeof which === 'string' ? which : which.serial, 'hex');
      const revokedAt = at - 60_000;
      return reason === undefined ? { serial, at: revokedAt } : { serial, at: revokedAt, reason };
    });
    const der = signCrl(
      {
        issuer: subject,
        keyId: made.keyId,
        number: crlNumber,
        thisUpdate: Number(list.thisUpdate ?? at - 60_000),
        nextUpdate: Number(list.nextUpdate ?? at + 7 * day),
      },
      entries,
      key,
    );
    return toPem('X509 CRL', der);
  }

  return {
    cert,
    chain,
    key: keyToPem(key),
    der: made.der,
    serial: hex(made.serial),
    issuer,
    issue,
    crl,
  };
}

/** A self-signed leaf: its own issuer, no CA. */
export async function selfSigned(options: IssueOptions = {}): Promise<Issued> {
  const key = await keyPair(options.key, options.keyType);
  const rdns: readonly TestRdn[] = options.subject ?? [['CN', options.cn ?? 'self-signed']];
  const signed = issueCertificate(
    {
      subject: nameOf(rdns),
      publicKey: key,
      notBefore: Number(options.notBefore ?? Date.now() - day),
      notAfter: Number(options.notAfter ?? Date.now() + 365 * day),
      keyUsages: ['digital signature'],
      purposes: [purposeOids[options.usage === 'server' ? 'server auth' : 'client auth']!],
      altNames: [...(options.hosts ?? []).map(altNameOf), ...(options.san ?? [])],
    },
    { selfSignedBy: key },
  );
  const cert = toPem('CERTIFICATE', signed.der);
  return { cert, key: keyToPem(key), bundle: cert, der: signed.der, serial: hex(signed.serial) };
}

/** Writes files into `dir` (made if missing) and returns their paths; whatever holds a private key gets mode 0600. */
export function writeFiles<Names extends string>(
  dir: string,
  files: Readonly<Record<Names, string | Uint8Array>>,
): Record<Names, string> {
  mkdirSync(dir, { recursive: true });
  const paths: Partial<Record<Names, string>> = {};
  for (const [name, content] of Object.entries(files) as [Names, string | Uint8Array][]) {
    const path = join(dir, name);
    const secret = typeof content === 'string' && content.includes('PRIVATE KEY-----');
    writeFileSync(path, content, { mode: secret ? 0o600 : 0o644 });
    paths[name] = path;
  }
  return paths as Record<Names, string>;
}

/** A private key object from PEM, for making two certificates over one key. */
export const keyFromPem = (pem: string): KeyObject => createPrivateKey(pem);
