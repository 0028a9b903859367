import { createSign, type KeyObject, sign } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { type CrlHead, crlEpilogue, crlPrologue, encodeRevoked, type RevokedEntry } from './crl.ts';
import { bitString, encodeLength } from './der.ts';
import { messageOf, PkiError } from './error.ts';
import { certificateMode, temporaryName } from './files.ts';
import { signatureScheme } from './key.ts';

/** How much is gathered before it is hashed and written. */
const chunkBytes = 64 * 1024;

/** Ed25519 signs a message as a whole; it is kept in memory up to this. */
const maxWholeMessage = 64 * 1024 * 1024;

/** Takes the bytes to be signed as they come. */
interface Signer {
  update(bytes: Uint8Array): void;
  final(): Buffer;
}

function signer(key: KeyObject): Signer {
  const { digest } = signatureScheme(key);
  if (digest !== null) {
    const running = createSign(digest);
    return { update: (bytes) => void running.update(bytes), final: () => running.sign(key) };
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  return {
    update(bytes) {
      size += bytes.byteLength;
      if (size > maxWholeMessage)
        throw new PkiError('a CRL of this size needs an issuer with an RSA or ECDSA key');
      chunks.push(Buffer.from(bytes));
    },
    final: () => sign(null, Buffer.concat(chunks), key),
  };
}

/** Writes DER as it is, or in base64 lines of 64 characters. */
class CrlSink {
  readonly #file: FileHandle;
  readonly #pem: boolean;
  #rest: Buffer = Buffer.alloc(0);

  constructor(file: FileHandle, pem: boolean) {
    this.#file = file;
    this.#pem = pem;
  }

  async begin(): Promise<void> {
    if (this.#pem) await this.#file.appendFile('-----BEGIN X509 CRL-----\n');
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (!this.#pem) {
      await this.#file.appendFile(bytes);
      return;
    }
    // 48 octets are one line.
    const all = Buffer.concat([this.#rest, bytes]);
    const whole = all.byteLength - (all.byteLength % 48);
    this.#rest = all.subarray(whole);
    await this.#lines(all.subarray(0, whole));
  }

  async end(): Promise<void> {
    if (!this.#pem) return;
    await this.#lines(this.#rest);
    await this.#file.appendFile('-----END X509 CRL-----\n');
  }

  async #lines(bytes: Buffer): Promise<void> {
    if (bytes.byteLength === 0) return;
    await this.#file.appendFile(bytes.toString('base64').replaceAll(/.{1,64}/g, '$&\n'));
  }
}

/** Encodes all entries into a file; returns how many and how many octets. */
async function spool(
  file: FileHandle,
  entries: AsyncIterable<RevokedEntry>,
): Promise<{ count: number; size: number }> {
  let count = 0;
  let size = 0;
  let gathered: Buffer[] = [];
  let gatheredSize = 0;
  for await (const entry of entries) {
    const bytes = encodeRevoked(entry);
    count++;
    gathered.push(bytes);
    gatheredSize += bytes.byteLength;
    if (gatheredSize < chunkBytes) continue;
    size += gatheredSize;
    await file.appendFile(Buffer.concat(gathered));
    gathered = [];
    gatheredSize = 0;
  }
  await file.appendFile(Buffer.concat(gathered));
  return { count, size: size + gatheredSize };
}

async function* chunksOf(file: FileHandle, size: number): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.alloc(chunkBytes);
  for (let position = 0; position < size;) {
    const { bytesRead } = await file.read(buffer, 0, chunkBytes, position);
    if (bytesRead === 0) throw new PkiError('a temporary file was cut short');
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

const header = (tag: number, length: number): Buffer => Buffer.concat([Buffer.of(tag), encodeLength(length)]);

export interface CrlFile {
  readonly path: string;
  readonly format: 'pem' | 'der';
}

/**
 * Writes a CRL of any number of entries in bounded memory and puts it into place in one step. The entries go
 * through a temporary file once: their length stands before them and the signature's length before all, so both must
 * be known first. Returns the number of entries. Throws PkiError.
 */
export async function writeCrl(
  target: CrlFile,
  head: CrlHead,
  entries: AsyncIterable<RevokedEntry>,
  key: KeyObject,
): Promise<number> {
  const spoolPath = temporaryName(target.path);
  const outPath = temporaryName(target.path);
  const handles: FileHandle[] = [];
  try {
    const spooled = await open(spoolPath, 'wx+', certificateMode);
    handles.push(spooled);
    const { count, size } = await spool(spooled, entries);
    const prologue = crlPrologue(head, key);
    const epilogue = crlEpilogue(head);
    // RFC 5280 §5.1.2.6: no entries, no list.
    const listHeader = count === 0 ? Buffer.alloc(0) : header(0x30, size);
    const bodyLength = prologue.byteLength + listHeader.byteLength + size + epilogue.byteLength;
    const before = Buffer.concat([header(0x30, bodyLength), prologue, listHeader]);

    const running = signer(key);
    running.update(before);
    for await (const chunk of chunksOf(spooled, size)) running.update(chunk);
    running.update(epilogue);
    const trailer = Buffer.concat([signatureScheme(key).algorithm, bitString(running.final())]);

    const out = await open(outPath, 'wx', certificateMode);
    handles.push(out);
    const sink = new CrlSink(out, target.format === 'pem');
    await sink.begin();
    await sink.write(header(0x30, before.byteLength + size + epilogue.byteLength + trailer.byteLength));
    await sink.write(before);
    for await (const chunk of chunksOf(spooled, size)) await sink.write(chunk);
    await sink.write(epilogue);
    await sink.write(trailer);
    await sink.end();
    await out.sync();
    await rename(outPath, target.path);
    return count;
  } catch (error) {
    throw error instanceof PkiError
      ? error
      : new PkiError(`cannot write ${target.path}: ${messageOf(error)}`);
  } finally {
    await Promise.all(handles.map(async (file) => await file.close()));
    await rm(spoolPath, { force: true });
    await rm(outPath, { force: true });
  }
}
