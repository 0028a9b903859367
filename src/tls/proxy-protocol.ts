/**
 * Reads the header of the PROXY protocol, by which a proxy in front says for whom it connects (HAProxy's
 * doc/proxy-protocol.txt, versions 1 and 2). Pure and bounded. Whoever may send one may claim any address: ask
 * only about connections of trusted proxies.
 */
import { crc32c } from './crc32c.ts';
import { formatIpAddress, parseIpAddress, plainAddress, unmapped } from './ip-address.ts';

/** §2.1: the longest line of version 1, with its CRLF. */
export const maxTextHeader = 107;
/** Most bytes of a header of version 2. The protocol allows 65,551; HAProxy's with everything in it stays below. */
export const maxBinaryHeader = 4096;

/** One end of a connection. */
export interface Peer {
  /** Without zone, IPv4 in dotted form. */
  readonly address: string;
  readonly port: number;
}

export type ProxyHeaderResult =
  | {
      readonly status: 'header';
      /** Bytes of the header; what follows is the client's. */
      readonly length: number;
      /**
       * For whom the proxy connects. Null: for itself (LOCAL), or for someone who has no such address (UNKNOWN,
       * AF_UNSPEC, AF_UNIX): the connection's own address counts, as nginx and the protocol have it.
       */
      readonly source: Peer | null;
    }
  /** It cannot be whole before this many bytes are there. */
  | { readonly status: 'incomplete'; readonly needs: number }
  | { readonly status: 'malformed'; readonly detail: string };

const textSignature = Buffer.from('PROXY ');
const binarySignature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const fixedPart = 16;

/** Reads a header from all the bytes that came so far. Call it again with more while it says `incomplete`. */
export function readProxyHeader(bytes: Buffer): ProxyHeaderResult {
  if (bytes.length === 0) return { status: 'incomplete', needs: 1 };
  if (startsLike(bytes, textSignature)) return readText(bytes);
  if (startsLike(bytes, binarySignature)) return readBinary(bytes);
  return malformed('the first bytes are no PROXY header');
}

/** Whether bytes begin with a signature, as far as they go. */
function startsLike(bytes: Buffer, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length);
  return bytes.compare(signature, 0, length, 0, length) === 0;
}

function malformed(detail: string): ProxyHeaderResult {
  return { status: 'malformed', detail };
}

/** Version 1, §2.1: one line, a single space between its words. */
function readText(bytes: Buffer): ProxyHeaderResult {
  const head = bytes.subarray(0, maxTextHeader);
  const end = head.findIndex((byte) => byte === 13 || byte === 10);
  if (end === -1 || (head[end] === 13 && end + 1 === head.length)) {
    return head.length < maxTextHeader
      ? { status: 'incomplete', needs: bytes.length + 1 }
      : malformed('the line of the PROXY header is too long');
  }
  if (head[end] !== 13 || head[end + 1] !== 10) return malformed('the PROXY header does not end in CRLF');
  const length = end + 2;
  const [protocol, ...fields] = head.toString('latin1', textSignature.length, end).split(' ');
  // Whatever stands behind UNKNOWN is to be ignored.
  if (protocol === 'UNKNOWN') return { status: 'header', length, source: null };
  if (protocol !== 'TCP4' && protocol !== 'TCP6')
    return malformed('the PROXY header names no protocol of TCP');
  const size = protocol === 'TCP4' ? 4 : 16;
  const [source, destination, sourcePort, destinationPort] = fields;
  const [from, to] = [source, destination].map((text) => parseIpAddress(text ?? ''));
  if (fields.length !== 4 || from?.length !== size || to?.length !== size)
    return malformed('the PROXY header does not have two addresses and two ports of its protocol');
  if (!isPort(sourcePort!) || !isPort(destinationPort!))
    return malformed('the PROXY header has no valid port');
  return { status: 'header', length, source: { address: plainAddress(source!), port: Number(sourcePort) } };
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9][0-9]{0,4})$/.test(text) && Number(text) <= 65_535;
}

/** Lengths of the addresses by family and transport (§2.2); what is not here is refused, UDP too. */
const addressLengths: Readonly<Record<number, number>> = { 0x00: 0, 0x11: 12, 0x21: 36, 0x31: 216 };

function readBinary(bytes: Buffer): ProxyHeaderResult {
  if (bytes.length < fixedPart) return { status: 'incomplete', needs: fixedPart };
  const command = bytes[12]!;
  if (command !== 0x20 && command !== 0x21)
    return malformed('the PROXY header has an unknown version or command');
  const length = fixedPart + bytes.readUInt16BE(14);
  if (length > maxBinaryHeader) return malformed('the PROXY header is too long');
  if (bytes.length < length) return { status: 'incomplete', needs: length };
  // §2.2: of LOCAL, all that follows is discarded, the family included.
  if (command === 0x20) return { status: 'header', length, source: null };
  const header = bytes.subarray(0, length);
  const family = header[13]!;
  const addresses = addressLengths[family];
  if (addresses === undefined) return malformed('the PROXY header is for no connection of TCP');
  // An unspecified family says nothing of how what follows is laid out.
  if (family === 0) return { status: 'header', length, source: null };
  if (length < fixedPart + addresses) return malformed('the addresses of the PROXY header are cut short');
  const problem = checkExtensions(header, fixedPart + addresses);
  if (problem !== null) return malformed(problem);
  if (family === 0x31) return { status: 'header', length, source: null };
  const size = family === 0x11 ? 4 : 16;
  const address = formatIpAddress(unmapped(header.subarray(fixedPart, fixedPart + size)))!;
  return { status: 'header', length, source: { address, port: header.readUInt16BE(fixedPart + 2 * size) } };
}

const checksumType = 0x03;

/** §2.2.1: type, length and value, as many as there are. Only the checksum means anything to us (§2.2.3). */
function checkExtensions(header: Buffer, start: number): string | null {
  let checked = false;
  for (let at = start; at < header.length;) {
    if (header.length - at < 3) return 'an extension of the PROXY header is cut short';
    const type = header[at]!;
    const length = header.readUInt16BE(at + 1);
    const value = at + 3;
    at = value + length;
    if (at > header.length) return 'an extension of the PROXY header is cut short';
    if (type !== checksumType) continue;
    if (length !== 4 || checked) return 'the PROXY header has no single checksum';
    checked = true;
    const zeroed = Buffer.from(header);
    zeroed.writeUInt32BE(0, value);
    if (crc32c(zeroed) !== header.readUInt32BE(value)) return 'the checksum of the PROXY header is wrong';
  }
  return null;
}
