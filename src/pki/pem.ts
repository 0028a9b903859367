import { PkiError } from './error.ts';

/** PEM of RFC 7468: 64 characters a line, a newline at the end. */
export function toPem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64');
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** One block of a PEM file. */
export interface PemBlock {
  readonly label: string;
  /** Empty where the block has headers (an old encrypted key): its text goes to OpenSSL as it is. */
  readonly der: Buffer;
  readonly text: string;
}

/** Blocks in one file; a bundle of every public root has about 150. */
const maxBlocks = 2000;

const begin = '-----BEGIN ';
const dashes = '-----';

/**
 * The blocks of a PEM text in their order; what stands between them is no matter. Time linear in the text.
 * Throws PkiError at a block that does not end or holds no base64, with the number of its line.
 */
export function readPem(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  let line = 1;
  let counted = 0;
  for (let at = text.indexOf(begin); at !== -1; at = text.indexOf(begin, at)) {
    for (; counted < at; counted++) if (text.charCodeAt(counted) === 0x0a) line++;
    if (blocks.length === maxBlocks) throw new PkiError(`more than ${maxBlocks} PEM blocks`);
    const labelEnd = text.indexOf(dashes, at + begin.length);
    const label = labelEnd === -1 ? '' : text.slice(at + begin.length, labelEnd);
    if (!/^[A-Z0-9 ]{1,64}$/.test(label)) throw new PkiError(`line ${line}: a PEM block without a name`);
    const ending = `-----END ${label}-----`;
    const end = text.indexOf(ending, labelEnd);
    if (end === -1) throw new PkiError(`line ${line}: the PEM block "${label}" has no end`);
    const body = text.slice(labelEnd + dashes.length, end);
    const block = `${text.slice(at, end)}${ending}\n`;
    blocks.push({ label, der: decodeBody(body, label, line), text: block });
    at = end + ending.length;
  }
  return blocks;
}

function decodeBody(body: string, label: string, line: number): Buffer {
  if (/^[ \t\r\n]*[A-Za-z0-9-]+:/.test(body)) return Buffer.alloc(0);
  const base64 = body.replaceAll(/[ \t\r\n]+/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || base64.length % 4 !== 0) {
    throw new PkiError(`line ${line}: the PEM block "${label}" is not base64`);
  }
  return Buffer.from(base64, 'base64');
}

/**
 * The certificates of a PEM file in their order, DER; a file without PEM armour is taken for one certificate in
 * DER. Throws PkiError when there is none.
 */
export function readCertificates(bytes: Buffer, file: string): Buffer[] {
  if (!bytes.includes(begin)) {
    if (bytes[0] !== 0x30) throw new PkiError(`${file}: there is no certificate in it`);
    return [bytes];
  }
  let blocks: PemBlock[];
  try {
    blocks = readPem(bytes.toString('latin1'));
  } catch (error) {
    if (error instanceof PkiError) throw new PkiError(`${file}: ${error.message}`);
    throw error;
  }
  const certificates = blocks.filter(({ label }) => label === 'CERTIFICATE' || label === 'X509 CERTIFICATE');
  if (certificates.length === 0) throw new PkiError(`${file}: there is no certificate in it`);
  return certificates.map(({ der }) => der);
}
