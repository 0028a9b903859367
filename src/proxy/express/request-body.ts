import type { Framing } from '../request-head.ts';
import type { PlainBody, PlainConnection } from '../upstream/plain-connection.ts';
import { ChunkedReader, type ChunkedSink, writeChunks } from '../wire/chunked-reader.ts';

/** Told how a body fares. */
export interface BodyOwner {
  /** Bytes that came cannot be the body, or are too many of it. Nothing more is read of it. */
  bodyFailed(reason: 'bad_framing' | 'body_too_large', detail: string): void;
  /** The upstream takes nothing for now, or takes it again. */
  bodyFlows(flows: boolean): void;
}

/**
 * A request's body between the client's socket and the upstream's: its framing is read as it comes, and what goes on is
 * framed anew. What comes before there is a connection is held, which is one read of the socket: then the client waits.
 */
export class RequestBody implements PlainBody, ChunkedSink {
  /** Bytes that came in so far, without chunk framing. */
  received = 0;
  /** All of it has come in. */
  complete = false;
  /** A byte of it has been sent and is not held: it cannot be sent a second time (rule 9). */
  consumed = false;
  readonly #owner: BodyOwner;
  readonly #limit: number;
  readonly #chunks: ChunkedReader | null;
  #left: number;
  #held: Buffer[] = [];
  #connection: PlainConnection | null = null;
  #dropped = false;
  /** What one read brought of a chunked body: it goes on as one chunk. */
  #pieces: Buffer[] = [];

  /** @param limit Bytes. */
  constructor(framing: Exclude<Framing, { kind: 'none' }>, limit: number, owner: BodyOwner) {
    this.#owner = owner;
    this.#limit = limit;
    this.#chunks = framing.kind === 'chunked' ? new ChunkedReader() : null;
    this.#left = framing.kind === 'length' ? framing.length : 0;
  }

  /**
   * Takes what came from the client.
   * @returns The place behind the body's last byte, or the end; -1 where it failed.
   */
  feed(bytes: Buffer, from: number): number {
    if (this.#chunks !== null) {
      const end = this.#chunks.feed(bytes, from, bytes.length, this);
      const pieces = this.#pieces;
      this.#pieces = [];
      if (this.received > this.#limit && !this.#dropped) {
        this.#owner.bodyFailed('body_too_large', `more than ${this.#limit} bytes came`);
        return -1;
      }
      if (end === -1) {
        this.#owner.bodyFailed('bad_framing', 'a malformed chunk');
        return -1;
      }
      if (pieces.length > 0 || this.#chunks.done) this.#send(writeChunks(pieces, this.#chunks.done));
      if (this.#chunks.done) this.#end();
      return end;
    }
    const end = Math.min(bytes.length, from + this.#left);
    if (end > from) {
      this.#left -= end - from;
      this.received += end - from;
      this.#send(from === 0 && end === bytes.length ? bytes : bytes.subarray(from, end));
    }
    if (this.#left === 0) this.#end();
    return end;
  }

  /** Nothing of it is wanted any more: what still comes is read over. */
  drop(): void {
    this.#dropped = true;
    this.#connection = null;
    this.#held = [];
  }

  /** Nothing of it waits to be sent: more may come from the client. */
  get flows(): boolean {
    return this.#dropped || (this.#connection !== null && this.#held.length === 0);
  }

  data(piece: Buffer): void {
    this.received += piece.length;
    if (!this.#dropped && this.received <= this.#limit) this.#pieces.push(piece);
  }

  open(connection: PlainConnection): void {
    this.#connection = connection;
    this.flow();
  }

  close(): void {
    this.#connection = null;
  }

  flow(): void {
    const connection = this.#connection;
    if (connection === null) return;
    const held = this.#held;
    this.#held = [];
    let flows = true;
    for (const piece of held) {
      this.consumed = true;
      flows = connection.write(piece);
    }
    if (this.complete) connection.endBody();
    else this.#owner.bodyFlows(flows);
  }

  #send(piece: Buffer): void {
    if (this.#dropped) return;
    const connection = this.#connection;
    if (connection === null) {
      this.#held.push(piece);
      return;
    }
    this.consumed = true;
    if (!connection.write(piece)) this.#owner.bodyFlows(false);
  }

  #end(): void {
    if (this.complete) return;
    this.complete = true;
    this.#connection?.endBody();
  }
}
