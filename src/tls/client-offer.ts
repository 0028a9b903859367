import type { ClientHello } from './client-hello.ts';

/** What a client offers to speak, as its ClientHello says: for the log of a handshake that failed. Pure. */
export interface ClientOffer {
  /** `supported_versions`, or the legacy version where that extension is absent. GREASE left out. */
  readonly versions: readonly number[];
  /** As sent, each byte a character (latin1). */
  readonly alpn: readonly string[];
  /** In the client's order; GREASE left out. Empty where it sent none. */
  readonly signatureAlgorithms: readonly number[];
}

const alpnExtension = 16;
const signatureAlgorithmsExtension = 13;
const supportedVersionsExtension = 43;

/**
 * Reads the offer. What is cut short is read as far as it goes, never an error: OpenSSL judges the hello, and
 * the log should tell of one that it refused.
 */
export function readOffer({ legacyVersion, extensions }: ClientHello): ClientOffer {
  const versions = extensions.get(supportedVersionsExtension);
  return {
    versions: codesOf(versions === undefined ? [legacyVersion] : listOf(versions, 1)),
    alpn: namesIn(listOf(extensions.get(alpnExtension), 2)),
    signatureAlgorithms: codesOf(listOf(extensions.get(signatureAlgorithmsExtension), 2)),
  };
}

/** The codes in a list of two bytes each, or those given, without GREASE. */
export function codesOf(list: Buffer | Iterable<number>): number[] {
  const codes: number[] = [];
  if (Buffer.isBuffer(list)) {
    for (let at = 0; at + 2 <= list.length; at += 2) codes.push(list.readUInt16BE(at));
  } else for (const code of list) codes.push(code);
  return codes.filter((code) => !isGrease(code));
}

/** RFC 8701: values a client adds at random so that servers learn to ignore the unknown. */
function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff);
}

/** What a body holds behind its length, which takes `size` bytes; no more than there is. */
function listOf(body: Buffer | undefined, size: 1 | 2): Buffer {
  if (body === undefined || body.length < size) return Buffer.alloc(0);
  return body.subarray(size, size + body.readUIntBE(0, size));
}

/** RFC 7301 §3.1: names, each behind its length in one byte. */
function namesIn(list: Buffer): string[] {
  const names: string[] = [];
  for (let at = 0; at < list.length;) {
    const end = at + 1 + list[at]!;
    names.push(list.toString('latin1', at + 1, end));
    at = end;
  }
  return names;
}
