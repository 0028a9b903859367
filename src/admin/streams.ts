import type { ServerResponse } from 'node:http';
import type { AnswerStream, StreamedAnswer } from './answer.ts';

/** Streams at once; more are told to come again. */
const maxStreams = 32;

const heartbeatMs = 5000;

/** Milliseconds after which a stream ends, so that whoever reads it has its permission looked at anew. */
const longestMs = 3_600_000;

/** Bytes that a reader may be behind; at half of that whoever writes is told. */
const maxBehind = 256 * 1024;

/** The answers that are still being written, bounded in number, time and memory. */
export class Streams {
  readonly #open = new Set<() => void>();

  get full(): boolean {
    return this.#open.size >= maxStreams;
  }

  /** Takes over a response whose head is written. */
  start(response: ServerResponse, { heartbeat, start }: StreamedAnswer): void {
    const ended = new AbortController();
    const beat = setInterval(() => write(heartbeat), heartbeatMs);
    const limit = setTimeout(() => end(), longestMs);
    const end = (): void => {
      if (ended.signal.aborted) return;
      clearInterval(beat);
      clearTimeout(limit);
      this.#open.delete(end);
      ended.abort();
      response.end();
    };
    const write = (text: string): boolean => {
      if (ended.signal.aborted) return false;
      if (text === '') return true;
      beat.refresh();
      response.write(text);
      if (response.writableLength > maxBehind) response.destroy();
      return response.writableLength <= maxBehind / 2;
    };
    this.#open.add(end);
    response.on('close', end);
    const stream: AnswerStream = { write, end, ended: ended.signal };
    try {
      start(stream);
    } catch (error) {
      end();
      throw error;
    }
  }

  /** Ends all of them. */
  close(): void {
    for (const end of this.#open) end();
  }
}
