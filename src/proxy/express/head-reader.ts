import type { Connection } from '../../snapshot/connection.ts';
import type { RequestHead } from '../../snapshot/request-head.ts';
import type { Limits, Snapshot } from '../../snapshot/snapshot.ts';
import { readPreflight } from '../headers/preflight.ts';
import { plainValueBytes } from '../wire/bytes.ts';
import { Fields } from '../wire/fields.ts';
import { type HeaderBlock, readHeaderBlock } from './header-block.ts';
import { type PlainMethod, RequestLine } from './request-line.ts';

/** Reading a head is never interrupted, so these serve all connections. */
const line = new RequestLine();
const fields = new Fields(1000);

/** A head whose method is one that the lane knows. */
export interface PlainHead extends RequestHead {
  readonly method: PlainMethod;
}

/** Recognises the heads of one connection's requests, one after the other. */
export class HeadReader {
  /** Path and query as sent, once `requestHead` was asked. */
  target = '';
  /** Where the last head that was read ends: the first byte behind it. */
  end = 0;
  /** The last header section; the next is likely the same. */
  #block: HeaderBlock | null = null;

  /**
   * @param from Where the head begins.
   * @returns Its header section; `partial`: more bytes may make it one; `foreign`: not unmistakably a plain request, or larger
   * than the limits.
   */
  read(bytes: Buffer, from: number, limits: Limits): HeaderBlock | 'partial' | 'foreign' {
    const reading = line.read(bytes, from, bytes.length);
    const known = this.#block;
    if (reading === 'whole' && known !== null && known.standsAt(bytes, line.end)) {
      this.end = line.end + known.bytes.length;
      return this.end - from < limits.headSize ? known : 'foreign';
    }
    const rest = reading === 'whole' ? fields.read(bytes, line.end, bytes.length, plainValueBytes) : reading;
    if (rest === 'partial' && bytes.length - from < limits.headSize) return 'partial';
    if (rest !== 'whole' || fields.count > limits.headerCount) return 'foreign';
    const block = readHeaderBlock(bytes, line.end, fields);
    if (block === null) return 'foreign';
    this.#block = block;
    this.end = fields.end;
    return this.end - from < limits.headSize ? block : 'foreign';
  }

  /** What is decided by, of the head that was just read. Before any other head is read. */
  requestHead(bytes: Buffer, block: HeaderBlock, connection: Connection, snapshot: Snapshot): PlainHead {
    const { method, targetStart, queryStart, targetEnd } = line;
    const target = bytes.toString('latin1', targetStart, targetEnd);
    this.target = target;
    const told = block.told(connection.remoteAddress, snapshot.forwarded.trust);
    const preflight = method === 'OPTIONS' ? readPreflight(method, block.rawHeaders) : null;
    return {
      method,
      path: queryStart === targetEnd ? target : target.slice(0, queryStart - targetStart),
      query: queryStart === targetEnd ? '' : target.slice(queryStart - targetStart),
      host: block.host,
      authority: block.authority,
      ...(told === null ? null : { told }),
      ...(preflight === null ? null : { preflight }),
    };
  }

  /** Lets go of the last header section. */
  forget(): void {
    this.#block = null;
  }
}
