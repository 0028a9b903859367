import { createHash, type KeyObject, sign } from 'node:crypto';
import {
  bitString,
  explicit,
  implicit,
  integer,
  octetString,
  oid,
  sequence,
  tlv,
} from '../../../src/pki/der.ts';
import { readCertificateFields } from '../../../src/tls/ocsp/certificate-fields.ts';
import { nonceOid } from '../../../src/tls/ocsp/request.ts';

/** An OCSP response as a test wants it, right or wrong. Times in milliseconds since 1970. */
export interface ResponseOptions {
  /** DER of the certificate that it is about, and of its issuer's. */
  readonly leaf: Uint8Array;
  readonly issuer: Uint8Array;
  readonly signer: { readonly der: Uint8Array; readonly key: KeyObject };
  readonly byKey?: boolean;
  readonly certificates?: readonly Uint8Array[];
  readonly status?: 'good' | 'revoked' | 'unknown';
  readonly digest?: 'sha1' | 'sha256';
  readonly thisUpdate?: number;
  readonly nextUpdate?: number | null;
  readonly nonce?: Uint8Array;
  readonly critical?: boolean;
}

const digestOids = { sha1: '1.3.14.3.2.26', sha256: '2.16.840.1.101.3.4.2.1' };
const hour = 3_600_000;

export function makeResponse(options: ResponseOptions): Buffer {
  const { status = 'good', digest = 'sha1', thisUpdate = Date.now(), signer } = options;
  const nextUpdate = options.nextUpdate === undefined ? Date.now() + hour : options.nextUpdate;
  const leaf = readCertificateFields(options.leaf);
  const hash = (bytes: Uint8Array): Buffer => octetString(createHash(digest).update(bytes).digest());
  const issuerKey = readCertificateFields(options.issuer).keyBits;
  const certId = sequence(
    sequence(oid(digestOids[digest]), Buffer.of(5, 0)),
    hash(leaf.issuer),
    hash(issuerKey),
    tlv(2, leaf.serial),
  );
  const single = sequence(
    certId,
    {
      good: implicit(0, Buffer.alloc(0)),
      revoked: explicit(1, time(thisUpdate)),
      unknown: implicit(2, Buffer.alloc(0)),
    }[status],
    time(thisUpdate),
    ...(nextUpdate === null ? [] : [explicit(0, time(nextUpdate))]),
  );
  const extensions = [
    ...(options.nonce === undefined
      ? []
      : [sequence(oid(nonceOid), octetString(octetString(options.nonce)))]),
    ...(options.critical === true ? [sequence(oid('1.2.3.4'), Buffer.of(1, 1, 255), octetString())] : []),
  ];
  const fields = readCertificateFields(signer.der);
  const responder =
    options.byKey === true
      ? explicit(2, octetString(createHash('sha1').update(fields.keyBits).digest()))
      : explicit(1, fields.subject);
  const data = sequence(
    responder,
    time(thisUpdate),
    sequence(single),
    ...(extensions.length === 0 ? [] : [explicit(1, sequence(...extensions))]),
  );
  const certificates = options.certificates ?? [];
  const basic = sequence(
    data,
    sequence(oid('1.2.840.10045.4.3.2')),
    bitString(sign('sha256', data, signer.key)),
    ...(certificates.length === 0 ? [] : [explicit(0, sequence(...certificates))]),
  );
  return sequence(
    tlv(0x0a, Buffer.of(0)),
    explicit(0, sequence(oid('1.3.6.1.5.5.7.48.1.1'), octetString(basic))),
  );
}

/** An error in place of an answer (RFC 6960 §4.2.1). */
export const makeError = (status: number): Buffer => sequence(tlv(0x0a, Buffer.of(status)));

/** The value of authorityInfoAccess with one OCSP responder. */
export function accessTo(url: string): Buffer {
  return sequence(sequence(oid('1.3.6.1.5.5.7.48.1'), implicit(6, Buffer.from(url))));
}

/** The value of extKeyUsage. */
export const purposes = (...oids: readonly string[]): Buffer => sequence(...oids.map(oid));

/** The value of the TLS feature extension that asks for a staple. */
export const stapleWanted: Buffer = sequence(integer(5));

function time(milliseconds: number): Buffer {
  const text = new Date(milliseconds).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  return tlv(0x18, Buffer.from(text, 'latin1'));
}
