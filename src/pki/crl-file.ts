import { createReadStream } from 'node:fs';
import { PkiError } from './error.ts';
import { reasonOf } from './files.ts';

const beginMark = '-----BEGIN X509 CRL-----';
const endMark = '-----END';

async function* rawChunks(path: string): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 64 * 1024 })) yield chunk as Buffer;
  } catch (error) {
    throw new PkiError(`cannot read ${path}: ${reasonOf(error)}`);
  }
}

/** Text that is taken as it comes, with a little of it held back so that no mark is cut in two. */
class TextQueue {
  readonly #source: AsyncGenerator<Buffer>;
  text = '';
  ended = false;

  constructor(source: AsyncGenerator<Buffer>) {
    this.#source = source;
  }

  async more(): Promise<void> {
    const next = await this.#source.next();
    if (next.done === true) this.ended = true;
    else this.text += next.value.toString('latin1');
  }

  async close(): Promise<void> {
    await this.#source.return(undefined);
  }
}

async function* base64Body(queue: TextQueue, path: string): AsyncGenerator<Buffer> {
  let rest = '';
  for (;;) {
    const end = queue.text.indexOf(endMark);
    const safe = end === -1 ? Math.max(0, queue.text.length - endMark.length) : end;
    const digits = rest + queue.text.slice(0, safe).replaceAll(/\s+/g, '');
    queue.text = queue.text.slice(safe);
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(digits)) throw new PkiError(`${path}: the PEM block is not base64`);
    const whole = end === -1 ? digits.length - (digits.length % 4) : digits.length;
    rest = digits.slice(whole);
    if (whole > 0) yield Buffer.from(digits.slice(0, whole), 'base64');
    if (end !== -1) {
      queue.text = queue.text.slice(endMark.length);
      return;
    }
    if (queue.ended) throw new PkiError(`${path}: the PEM block "X509 CRL" has no end`);
    await queue.more();
  }
}

/**
 * Hands each CRL of a file (PEM blocks, or one in DER) to `read` as a stream of DER, one after the other, in bounded
 * memory. `read` must take a stream to its end. Returns what the reads gave. Throws PkiError when there is no CRL.
 */
export async function eachCrl<T>(
  path: string,
  read: (der: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T[]> {
  const source = rawChunks(path);
  const queue = new TextQueue(source);
  const results: T[] = [];
  try {
    await queue.more();
    if (queue.text.charCodeAt(0) === 0x30) {
      results.push(await read(prepend(Buffer.from(queue.text, 'latin1'), source)));
      return results;
    }
    for (;;) {
      const at = queue.text.indexOf(beginMark);
      if (at !== -1) {
        queue.text = queue.text.slice(at + beginMark.length);
        results.push(await read(base64Body(queue, path)));
      } else if (queue.ended) break;
      else {
        queue.text = queue.text.slice(-beginMark.length);
        await queue.more();
      }
    }
  } finally {
    await queue.close();
  }
  if (results.length === 0) throw new PkiError(`${path}: there is no CRL in it`);
  return results;
}

async function* prepend(first: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  yield* rest;
}
