/**
 * Reads the ClientHello before OpenSSL does, so that the connection can go to the TLS settings of its host
 * (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2, RFC 6066 §3). Pure and bounded; it selects and counts, it decides
 * nothing about trust: OpenSSL reads the same bytes again and has the last word.
 */

/** Most bytes of records looked at for one ClientHello: post-quantum key shares pass 16 KiB, nothing passes this. */
export const maxHelloBytes = 65_536;

/** What a client offers. */
export interface ClientHello {
  /** The SNI host name as sent, or null. Not normalised; may hold any byte as latin1. */
  readonly serverName: string | null;
  readonly legacyVersion: number;
  /** As sent, two bytes each, GREASE among them. */
  readonly cipherSuites: Buffer;
  /** Their bodies by type, in the order sent; GREASE among them. client-offer.ts reads more of them. */
  readonly extensions: ReadonlyMap<number, Buffer>;
}

export type HelloResult =
  | { readonly status: 'hello'; readonly hello: ClientHello }
  /** It cannot be whole before this many bytes are there: with fewer, asking again is wasted work. */
  | { readonly status: 'incomplete'; readonly needs: number }
  /** The first byte is no handshake record: most likely plain HTTP on the TLS port. */
  | { readonly status: 'not_tls' }
  | { readonly status: 'malformed'; readonly detail: string };

const handshakeRecord = 22;
const clientHelloMessage = 1;
const recordHeader = 5;
/** RFC 8446 §5.1: a plaintext record holds at most 2^14 bytes. */
const maxRecord = 16_384;

class Malformed extends Error {}

/** A cursor that refuses to read past the end of its bytes. */
class Reader {
  readonly bytes: Buffer;
  position = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get left(): number {
    return this.bytes.length - this.position;
  }

  uint(size: 1 | 2 | 3): number {
    if (this.left < size) throw new Malformed('a field ends early');
    const value = this.bytes.readUIntBE(this.position, size);
    this.position += size;
    return value;
  }

  /** A vector: its length in `size` bytes, then that many bytes. */
  vector(size: 1 | 2): Reader {
    return this.take(this.uint(size));
  }

  take(length: number): Reader {
    if (this.left < length) throw new Malformed('a vector is longer than what holds it');
    const part = new Reader(this.bytes.subarray(this.position, this.position + length));
    this.position += length;
    return part;
  }

  latin1(): string {
    return this.bytes.toString('latin1');
  }
}

/**
 * Reads the ClientHello from all the bytes that came so far, however they are cut over records and segments.
 * Call it again with more bytes while it says `incomplete`; past `maxHelloBytes` it says `malformed`.
 */
export function readClientHello(bytes: Buffer): HelloResult {
  if (bytes.length === 0) return { status: 'incomplete', needs: 1 };
  if (bytes[0] !== handshakeRecord) return { status: 'not_tls' };
  try {
    const message = handshakeMessage(bytes);
    if (typeof message === 'number') {
      return message <= maxHelloBytes
        ? { status: 'incomplete', needs: message }
        : { status: 'malformed', detail: 'the ClientHello is too large' };
    }
    return { status: 'hello', hello: readMessage(new Reader(message)) };
  } catch (error) {
    if (error instanceof Malformed) return { status: 'malformed', detail: error.message };
    throw error;
  }
}

/** Joins the fragments of the first handshake message; while it is not complete, how many bytes to wait for. */
function handshakeMessage(bytes: Buffer): Buffer | number {
  const fragments: Buffer[] = [];
  let held = 0;
  let wanted = Number.POSITIVE_INFINITY;
  for (let at = 0; held < wanted;) {
    if (bytes.length - at < recordHeader) return at + recordHeader;
    if (bytes[at] !== handshakeRecord || bytes[at + 1] !== 3)
      throw new Malformed('a record that is no handshake record stands inside the ClientHello');
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > maxRecord) throw new Malformed('a record has an impossible length');
    const fragment = bytes.subarray(at + recordHeader, Math.min(at + recordHeader + length, bytes.length));
    fragments.push(fragment);
    held += fragment.length;
    if (wanted === Number.POSITIVE_INFINITY && held >= 4) wanted = messageLength(fragments);
    if (held < wanted && fragment.length < length) return at + recordHeader + length;
    at += recordHeader + length;
  }
  const whole = fragments.length === 1 ? fragments[0]! : Buffer.concat(fragments);
  return whole.subarray(4, wanted);
}

/** Length of the handshake message with its header, from its first four bytes. */
function messageLength(fragments: readonly Buffer[]): number {
  const header = fragments.length === 1 ? fragments[0]! : Buffer.concat(fragments);
  if (header[0] !== clientHelloMessage) throw new Malformed('the first message is no ClientHello');
  const length = 4 + header.readUIntBE(1, 3);
  if (length > maxHelloBytes) throw new Malformed('the ClientHello is too large');
  return length;
}

function readMessage(message: Reader): ClientHello {
  const legacyVersion = message.uint(2);
  message.take(32); // random
  if (message.vector(1).left > 32) throw new Malformed('the session id is too long');
  const cipherSuites = message.vector(2).bytes;
  message.vector(1); // compression methods
  let serverName: string | null = null;
  // A hello without extensions is legal in TLS 1.2.
  const list = message.left === 0 ? message : message.vector(2);
  if (message.left !== 0) throw new Malformed('bytes follow the extensions');
  const extensions = new Map<number, Buffer>();
  while (list.left > 0) {
    const type = list.uint(2);
    const body = list.vector(2);
    // RFC 8446 §4.2: no extension twice. A second server_name could be read differently by OpenSSL.
    if (extensions.has(type)) throw new Malformed('an extension stands twice');
    extensions.set(type, body.bytes);
    if (type === 0) serverName = readServerName(body);
  }
  return { serverName, legacyVersion, cipherSuites, extensions };
}

/** RFC 6066 §3: a list with one entry of type host_name. */
function readServerName(body: Reader): string | null {
  const list = body.vector(2);
  if (body.left !== 0) throw new Malformed('bytes follow the server name');
  const type = list.uint(1);
  const name = list.vector(2);
  if (type !== 0 || name.left === 0 || list.left !== 0)
    throw new Malformed('the server name is no single host name');
  if (name.left > 255) throw new Malformed('the server name is too long');
  return name.latin1();
}
