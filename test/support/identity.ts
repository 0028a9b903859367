import { createHash } from 'node:crypto';
import { formatRfc2253 } from '../../src/tls/distinguished-name.ts';
import { attributeType } from '../../src/tls/attribute-type.ts';
import type { Connection } from '../../src/snapshot/connection.ts';
import type { DistinguishedName, Identity, SubjectAltNames } from '../../src/tls/identity.ts';
import { none, success, type Verdict } from '../../src/tls/verdict.ts';
import { judgedUnder } from './client-auth.ts';

/** `['CN', 'x']`; a list of them for a multi-valued RDN. The type is a short name or a dotted OID. */
export type TestRdn =
  readonly [type: string, value: string] | readonly (readonly [type: string, value: string])[];

/** A name in certificate order: `aName(['C', 'NP'], ['CN', 'x'])`. */
export function aName(...rdns: readonly TestRdn[]): DistinguishedName {
  return rdns.map((rdn) => {
    const attributes = (typeof rdn[0] === 'string' ? [rdn] : rdn) as readonly (readonly [string, string])[];
    return attributes.map(([type, value]) => {
      const oid = attributeType(type);
      if (oid === null) throw new Error(`${type} is no attribute type`);
      return { oid, value };
    });
  });
}

export interface IdentityOptions {
  readonly subject?: DistinguishedName;
  readonly issuer?: DistinguishedName;
  readonly san?: Partial<SubjectAltNames>;
  readonly der?: Uint8Array;
  readonly serial?: string;
  readonly notBefore?: number;
  readonly notAfter?: number;
}

/** A plain identity by hand: the demo's client, with what a test wants changed. Its DER is any bytes. */
export function anIdentity(options: IdentityOptions = {}): Identity {
  const subject =
    options.subject ??
    aName(
      ['C', 'NP'],
      ['ST', 'Nepal'],
      ['L', 'Lalitpur'],
      ['O', 'Logpoint Nepal'],
      ['OU', 'ITOps'],
      ['CN', 'roshankhatri'],
    );
  const issuer = options.issuer ?? aName(['C', 'NP'], ['O', 'Logpoint Nepal'], ['CN', 'Root A']);
  const der = options.der ?? Uint8Array.from({ length: 300 }, (_, index) => (index * 7) % 256);
  const digest = (algorithm: string): string => createHash(algorithm).update(der).digest('hex');
  return {
    subject,
    issuer,
    subjectText: formatRfc2253(subject),
    issuerText: formatRfc2253(issuer),
    san: { dns: [], uri: [], email: [], ip: [], ...options.san },
    serial: options.serial ?? '01AB',
    notBefore: options.notBefore ?? Date.UTC(2026, 0, 1),
    notAfter: options.notAfter ?? Date.UTC(2027, 0, 1),
    sha256: digest('sha256'),
    sha1: digest('sha1'),
    spki: digest('sha512').slice(0, 64),
    keyAlgorithm: 'id-ecPublicKey',
    signatureAlgorithm: 'ecdsa-with-SHA256',
    der,
  };
}

/** What the connections of a host that verifies clients have for a trust key, unless a test says otherwise. */
export const testTrustKey = 'trust-key';

/** A verified connection; `identity: null` makes it one without a certificate. */
export function aConnection(
  options: Partial<Connection> & { readonly identity?: Identity | null; readonly verdict?: Verdict } = {},
): Connection {
  const { verdict, ...rest } = options;
  const identity = rest.identity === undefined ? anIdentity() : rest.identity;
  return {
    listener: 'https',
    remoteAddress: '192.0.2.7',
    remotePort: 40_000,
    localPort: 8443,
    serverName: 'a.test',
    hostId: 'a.test',
    serverNameMatched: true,
    trustKey: testTrustKey,
    judged: judgedUnder(testTrustKey, verdict ?? (identity === null ? none : success)),
    tlsVersion: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    resumed: false,
    ...rest,
    identity,
  };
}
