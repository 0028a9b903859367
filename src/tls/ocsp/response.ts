import { DerReader, MalformedCertificate, tags } from '../der.ts';
import { readExtensions } from './certificate-fields.ts';
import { nonceOid } from './request.ts';

/** What a responder says of one certificate. */
export type CertificateStatus = 'good' | 'revoked' | 'unknown';

/** One certificate's status (RFC 6960 §4.2.1). Times in milliseconds since 1970. */
export interface SingleResponse {
  /** OID of the hash that names the issuer. */
  readonly hashAlgorithm: string;
  readonly issuerNameHash: Uint8Array;
  readonly issuerKeyHash: Uint8Array;
  /** Content octets. */
  readonly serial: Uint8Array;
  readonly status: CertificateStatus;
  readonly thisUpdate: number;
  readonly nextUpdate: number | null;
}

/** A BasicOCSPResponse taken apart; nothing of it is proven. Views into the bytes that were read. */
export interface BasicResponse {
  /** The octets that are signed. */
  readonly signed: Uint8Array;
  readonly responder:
    { readonly by: 'name'; readonly name: Uint8Array } | { readonly by: 'key'; readonly hash: Uint8Array };
  readonly producedAt: number;
  readonly responses: readonly SingleResponse[];
  readonly nonce: Uint8Array | null;
  readonly signatureAlgorithm: string;
  readonly signature: Uint8Array;
  /** DER of the certificates that came along. */
  readonly certificates: readonly Uint8Array[];
}

/** The bytes say that there is no answer, and why (RFC 6960 §4.2.1, OCSPResponseStatus). */
export class ResponderError extends Error {}

/** Octets of a response; those with a chain of RSA certificates take some 5 KB. */
export const maxResponseBytes = 64 * 1024;

/** Statuses and certificates in one response; a responder answers one, RFC 6960 allows it to add others. */
const maxResponses = 64;
const maxCertificates = 8;

const enumerated = 0x0a;
const basicType = '1.3.6.1.5.5.7.48.1.1';
const failures: Readonly<Record<number, string>> = {
  1: 'malformedRequest',
  2: 'internalError',
  3: 'tryLater',
  5: 'sigRequired',
  6: 'unauthorized',
};

/**
 * Takes a response apart, DER alone and within bounds.
 * @throws ResponderError where it is an error, MalformedCertificate where it is no response.
 */
export function readResponse(der: Uint8Array): BasicResponse {
  if (der.length > maxResponseBytes) throw new MalformedCertificate('the response is too large');
  const file = new DerReader(der);
  const outer = file.enter(tags.sequence, 'OCSP response');
  file.finish('OCSP response');
  const status = outer.expect(enumerated, 'response status').content();
  if (status.length !== 1) throw new MalformedCertificate('a response status of no possible length');
  if (status[0] !== 0) throw new ResponderError(failures[status[0]!] ?? `status ${status[0]}`);
  const wrapped = outer.enter(0xa0, 'response bytes').enter(tags.sequence, 'response bytes');
  if (wrapped.oid('response type') !== basicType) throw new MalformedCertificate('no basic response');
  return readBasic(wrapped.expect(tags.octetString, 'response').content());
}

function readBasic(der: Uint8Array): BasicResponse {
  const basic = new DerReader(der).enter(tags.sequence, 'basic response');
  const data = basic.enter(tags.sequence, 'response data');
  const signed = basic.element();
  const signatureAlgorithm = basic.enter(tags.sequence, 'signature algorithm').oid('signature algorithm');
  const bits = basic.expect(tags.bitString, 'signature').content();
  if (bits[0] !== 0) throw new MalformedCertificate('a signature that is not whole octets');
  const certificates: Uint8Array[] = [];
  if (!basic.done) {
    const list = basic.enter(0xa0, 'certificates').enter(tags.sequence, 'certificates');
    while (!list.done) {
      if (certificates.length === maxCertificates) throw new MalformedCertificate('too many certificates');
      certificates.push(list.expect(tags.sequence, 'certificate').element());
    }
  }
  basic.finish('basic response');
  return { signed, ...readData(data), signatureAlgorithm, signature: bits.subarray(1), certificates };
}

function readData(data: DerReader): Pick<BasicResponse, 'responder' | 'producedAt' | 'responses' | 'nonce'> {
  // version [0] DEFAULT v1: DER leaves it out, and there is no other.
  if (data.nextTag === 0xa0) throw new MalformedCertificate('a version that is not v1');
  const responder = readResponder(data);
  const producedAt = data.time('producedAt');
  const list = data.enter(tags.sequence, 'responses');
  const responses: SingleResponse[] = [];
  while (!list.done) {
    if (responses.length === maxResponses) throw new MalformedCertificate('too many responses');
    responses.push(readSingle(list.enter(tags.sequence, 'single response')));
  }
  let nonce: Uint8Array | null = null;
  if (!data.done) {
    const extensions = data.enter(0xa1, 'extensions').enter(tags.sequence, 'extensions');
    for (const { oid, critical, value } of readExtensions(extensions)) {
      if (oid === nonceOid) nonce = new DerReader(value).expect(tags.octetString, 'nonce').content();
      else if (critical) throw new MalformedCertificate(`a critical extension ${oid}`);
    }
  }
  data.finish('response data');
  return { responder, producedAt, responses, nonce };
}

function readResponder(data: DerReader): BasicResponse['responder'] {
  if (data.nextTag === 0xa1) {
    const name = data.enter(0xa1, 'responder').expect(tags.sequence, 'name of the responder').element();
    return { by: 'name', name };
  }
  const hash = data.enter(0xa2, 'responder').expect(tags.octetString, 'key of the responder').content();
  return { by: 'key', hash };
}

function readSingle(single: DerReader): SingleResponse {
  const id = single.enter(tags.sequence, 'certificate id');
  const hashAlgorithm = id.enter(tags.sequence, 'hash algorithm').oid('hash algorithm');
  const issuerNameHash = id.expect(tags.octetString, 'hash of a name').content();
  const issuerKeyHash = id.expect(tags.octetString, 'hash of a key').content();
  const serial = id.expect(tags.integer, 'serial number').content();
  id.finish('certificate id');
  const status = statusOf(single.next().tag);
  const thisUpdate = single.time('thisUpdate');
  const nextUpdate = single.nextTag === 0xa0 ? single.enter(0xa0, 'nextUpdate').time('nextUpdate') : null;
  if (!single.done) {
    const extensions = single.enter(0xa1, 'extensions').enter(tags.sequence, 'extensions');
    for (const { oid, critical } of readExtensions(extensions)) {
      if (critical) throw new MalformedCertificate(`a critical extension ${oid}`);
    }
  }
  single.finish('single response');
  return { hashAlgorithm, issuerNameHash, issuerKeyHash, serial, status, thisUpdate, nextUpdate };
}

/** good [0] NULL, revoked [1] RevokedInfo, unknown [2] NULL. */
function statusOf(tag: number): CertificateStatus {
  if (tag === 0x80) return 'good';
  if (tag === 0xa1) return 'revoked';
  if (tag === 0x82) return 'unknown';
  throw new MalformedCertificate('a status that is none of three');
}
