import type { KeyObject } from 'node:crypto';
import { DerReader, MalformedCertificate, tags } from '../tls/der.ts';
import { ByteQueue } from './byte-queue.ts';
import { type ReadExtension, readExtensions, serialText } from './certificate-reader.ts';
import { type RevocationReason, revocationReasons } from './crl.ts';
import { type SignatureAnswer, SignatureCheck } from '../tls/crl-signature.ts';
import { PkiError } from './error.ts';
import { extensionOids } from './oid.ts';

/** One revoked certificate as read. */
export interface ReadRevoked {
  /** Upper-case hex without leading zero octets. */
  readonly serial: string;
  readonly at: number;
  readonly reason: RevocationReason | 'removeFromCRL' | null;
}

/** What a CRL says beside its entries. */
export interface CrlFacts extends SignatureAnswer {
  /** DER of the issuer's name. */
  readonly issuer: Buffer;
  readonly thisUpdate: number;
  readonly nextUpdate: number | null;
  /** cRLNumber, decimal. */
  readonly number: string | null;
  /** Lower-case hex; null without authorityKeyIdentifier. */
  readonly issuerKeyId: string | null;
  /** OID. */
  readonly signatureAlgorithm: string;
  readonly entries: number;
  /** OIDs of critical extensions, of the CRL or of an entry, that this reader does not know: it must not be relied on. */
  readonly unknownCritical: readonly string[];
  /** Octets of DER. */
  readonly size: number;
}

export interface CrlReading {
  /** Called for every entry, in order. */
  readonly onEntry?: (entry: ReadRevoked) => void;
  /** Keys that may have signed it, by the issuer's name (DER) and key identifier. Asked at the end. */
  readonly keys?: (issuer: Buffer, issuerKeyId: string | null) => readonly KeyObject[];
}

/** One element outside the list: names and extensions. */
const maxElement = 64 * 1024;
/** One entry: a serial, a date and a few extensions. */
const maxEntry = 4096;
/** A CRL of ten million entries has about 400 MB. */
const maxCrl = 1024 * 1024 * 1024;

const reasonNames = new Map<number, ReadRevoked['reason']>([
  ...Object.entries(revocationReasons).map(([name, code]) => [code, name as RevocationReason] as const),
  [8, 'removeFromCRL'],
]);

interface Header {
  readonly tag: number;
  readonly length: number;
  /** The identifier and length octets. */
  readonly bytes: Uint8Array;
}

/** Reads a TLV's header in DER's definite form. */
async function readHeader(queue: ByteQueue, limit: number): Promise<Header> {
  const start = Buffer.from(await queue.take(2));
  const first = start[1]!;
  if (first < 0x80) return checkLimit({ tag: start[0]!, length: first, bytes: start }, limit);
  const count = first & 0x7f;
  if (count === 0 || count > 5) throw new PkiError('not a CRL: a length of no DER form');
  const more = Buffer.from(await queue.take(count));
  const length = more.readUIntBE(0, count);
  return checkLimit({ tag: start[0]!, length, bytes: Buffer.concat([start, more]) }, limit);
}

/** Elements past their bound are refused before they are read. */
function checkLimit(header: Header, limit: number): Header {
  if (header.length > limit)
    throw new PkiError(`not a CRL: an element of ${header.length} octets where ${limit} fit`);
  return header;
}

/** Reads the parts of a CRL in their order, counting what is left of the element it is in. */
class PartReader {
  readonly #queue: ByteQueue;
  readonly #end: number;

  constructor(queue: ByteQueue, length: number) {
    this.#queue = queue;
    this.#end = queue.taken + length;
  }

  get left(): number {
    return this.#end - this.#queue.taken;
  }

  /** One whole element, header included. */
  async element(limit: number): Promise<Buffer> {
    const header = await this.header(limit);
    const content = await this.#queue.take(header.length);
    return Buffer.concat([header.bytes, content]);
  }

  async header(limit: number): Promise<Header> {
    if (this.left < 2) throw new PkiError('not a CRL: an element is cut short');
    const header = await readHeader(this.#queue, limit);
    if (header.length > this.left)
      throw new PkiError('not a CRL: an element is longer than what it stands in');
    return header;
  }
}

function readEntry(der: Uint8Array, unknownCritical: Set<string>): ReadRevoked {
  const body = new DerReader(der).enter(tags.sequence, 'revoked certificate');
  const serial = serialText(body.expect(tags.integer, 'serial number').content());
  const at = body.time('revocation date');
  let reason: ReadRevoked['reason'] = null;
  if (!body.done) {
    for (const extension of readExtensions(body.enter(tags.sequence, 'entry extensions'))) {
      if (extension.oid === extensionOids.reasonCode) {
        const code = new DerReader(extension.value).expect(0x0a, 'reason code').content()[0];
        reason = reasonNames.get(code ?? 0) ?? 'unspecified';
      } else if (extension.critical) unknownCritical.add(extension.oid);
    }
    body.finish('revoked certificate');
  }
  return { serial, at, reason };
}

function listExtensions(der: Uint8Array): ReadExtension[] {
  return readExtensions(new DerReader(der).enter(0xa0, 'extensions').enter(tags.sequence, 'extensions'));
}

function decodeNumber(value: Uint8Array): string {
  const content = new DerReader(value).expect(tags.integer, 'CRL number').content();
  if (content.byteLength === 0 || content.byteLength > 21)
    throw new MalformedCertificate('a CRL number out of bounds');
  return BigInt(`0x${Buffer.from(content).toString('hex')}`).toString();
}

function decodeKeyId(value: Uint8Array): string | null {
  const body = new DerReader(value).enter(tags.sequence, 'authority key identifier');
  return body.nextTag === 0x80 ? Buffer.from(body.next().content()).toString('hex') : null;
}

/** Extensions that say nothing which changes what an entry means for this reader. */
const knownExtensions: ReadonlySet<string> = new Set([
  extensionOids.crlNumber,
  extensionOids.authorityKeyIdentifier,
]);

/**
 * Reads one CRL (RFC 5280 §5.1) from its DER as it streams by: memory stays the same whatever its size. At most
 * 1 GiB, 64 KiB for each part outside the list, 4 KiB for an entry. Throws PkiError at anything that is none.
 */
export async function readCrl(
  source: AsyncIterable<Uint8Array>,
  options: CrlReading = {},
): Promise<CrlFacts> {
  const queue = new ByteQueue(source);
  try {
    return await readCrlFrom(queue, options);
  } catch (error) {
    if (error instanceof MalformedCertificate) throw new PkiError(`not a CRL: ${error.message}`);
    throw error;
  } finally {
    await queue.close();
  }
}

async function readCrlFrom(queue: ByteQueue, options: CrlReading): Promise<CrlFacts> {
  const file = await readHeader(queue, maxCrl);
  if (file.tag !== tags.sequence) throw new PkiError('not a CRL');
  const outer = new PartReader(queue, file.length);
  const tbs = await outer.header(maxCrl);
  if (tbs.tag !== tags.sequence) throw new PkiError('not a CRL');
  const body = new PartReader(queue, tbs.length);

  const before: Buffer[] = [];
  const next = async (): Promise<Buffer> => {
    const part = await body.element(maxElement);
    before.push(part);
    return part;
  };
  let part = await next();
  if (part[0] === tags.integer) part = await next();
  const algorithm = new DerReader(part)
    .enter(tags.sequence, 'signature algorithm')
    .oid('signature algorithm');
  const issuer = await next();
  if (issuer[0] !== tags.sequence) throw new PkiError('not a CRL: no issuer');
  const thisUpdate = new DerReader(await next()).time('thisUpdate');

  const check = new SignatureCheck(algorithm);
  check.update(tbs.bytes);
  for (const bytes of before) check.update(bytes);

  let nextUpdate: number | null = null;
  let entries = 0;
  let extensions: ReadExtension[] = [];
  const unknownCritical = new Set<string>();
  while (body.left > 0) {
    const header = await body.header(maxCrl);
    check.update(header.bytes);
    if (header.tag === tags.sequence) {
      const list = new PartReader(queue, header.length);
      while (list.left > 0) {
        const entry = await list.element(maxEntry);
        check.update(entry);
        const revoked = readEntry(entry, unknownCritical);
        entries++;
        options.onEntry?.(revoked);
      }
      continue;
    }
    checkLimit(header, maxElement);
    const content = Buffer.from(await queue.take(header.length));
    check.update(content);
    const element = Buffer.concat([header.bytes, content]);
    if (header.tag === 0xa0) extensions = listExtensions(element);
    else nextUpdate = new DerReader(element).time('nextUpdate');
  }

  const outerAlgorithm = new DerReader(await outer.element(maxElement))
    .enter(tags.sequence, 'signature algorithm')
    .oid('signature algorithm');
  if (outerAlgorithm !== algorithm) throw new PkiError('not a CRL: two signature algorithms that differ');
  const signature = new DerReader(await outer.element(maxElement))
    .expect(tags.bitString, 'signature')
    .content();
  if (outer.left > 0 || !(await queue.atEnd())) throw new PkiError('not a CRL: something follows it');

  let number: string | null = null;
  let issuerKeyId: string | null = null;
  for (const { oid, critical, value } of extensions) {
    if (oid === extensionOids.crlNumber) number = decodeNumber(value);
    else if (oid === extensionOids.authorityKeyIdentifier) issuerKeyId = decodeKeyId(value);
    if (critical && !knownExtensions.has(oid)) unknownCritical.add(oid);
  }
  const keys = options.keys?.(issuer, issuerKeyId) ?? [];
  return {
    issuer,
    thisUpdate,
    nextUpdate,
    number,
    issuerKeyId,
    signatureAlgorithm: algorithm,
    entries,
    unknownCritical: [...unknownCritical],
    size: queue.taken,
    ...check.finish(signature.subarray(1), keys),
  };
}
