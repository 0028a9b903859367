import type { Dispatcher } from 'undici';
import { setTimeout as wait } from 'node:timers/promises';
import { version } from '../../observe/version.ts';
import { ApiError, errorOfAnswer, errorOfEvent } from './api-error.ts';
import { Connections } from './connections.ts';
import { type Access, Credentials } from './credentials.ts';
import { Gate } from './gate.ts';
import { Lines } from './lines.ts';

/** One page of a list, and an error. Larger answers are no use to us. */
const maxAnswer = 64 * 1024 ** 2;
const maxError = 64 * 1024;

/** Objects in a page of a list. */
const pageSize = 500;

/** Requests that wait for their answer to begin, at once. After an outage all watches come back together. */
const maxAsking = 32;

/** How often, in milliseconds, an outage has credentials read anew: an exec plug-in may be slow and costly. */
const unreachableRefreshMs = 30_000;

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface CallOptions {
  readonly signal?: AbortSignal;
  /**
   * How often it is tried in all, with back-off, where the server is busy (429, 503) or cannot be reached. 1, and no more for
   * `create` and `patch` than a server that said no: what was cut off may have been done.
   */
  readonly attempts?: number;
}

/** A list, its pages put together. */
export interface ObjectList {
  readonly items: readonly unknown[];
  /** From where a watch goes on. */
  readonly resourceVersion: string;
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: unknown;
}

export interface WatchOptions {
  readonly signal: AbortSignal;
  /** The server watches. */
  readonly onOpen?: () => void;
  /** In the order of the server. What it throws ends the watch. */
  readonly onEvent: (event: WatchEvent) => void;
  /** Milliseconds without a single byte after which the watch counts as dead. */
  readonly silenceMs: number;
}

export interface ApiClientOptions {
  /** Milliseconds for a whole answer, or the beginning of a watch. */
  readonly withinMs?: number;
}

/**
 * The API server: objects read, watched and written as plain JSON. Every method rejects with an ApiError. It speaks with what
 * `Credentials` has at the moment, and has them read anew when they are refused; keeps no state of objects; and never tries
 * anything again that it was not told to.
 */
export class ApiClient {
  readonly #credentials: Credentials;
  readonly #connections = new Connections();
  readonly #gate = new Gate(maxAsking);
  readonly #withinMs: number;
  #isClosed = false;
  #server = '';

  constructor(credentials: Credentials, { withinMs = 30_000 }: ApiClientOptions = {}) {
    this.#credentials = credentials;
    this.#withinMs = withinMs;
  }

  /** The server as it was last spoken to, for messages. Empty before that. */
  get server(): string {
    return this.#server;
  }

  /** One object, or whatever else stands at a path (see `pathOf`). */
  get(path: string, query: Query = {}, options: CallOptions = {}): Promise<unknown> {
    return this.#retried(options, true, () => this.#json('GET', path, query, null, options));
  }

  /** `path` is the collection's. POST. */
  create(path: string, body: object, options: CallOptions = {}): Promise<unknown> {
    const json = { type: 'application/json', body };
    return this.#retried(options, false, () => this.#json('POST', path, {}, json, options));
  }

  /** `body` is the whole object; with its resourceVersion, 409 where another was quicker. PUT. */
  replace(path: string, body: object, options: CallOptions = {}): Promise<unknown> {
    const json = { type: 'application/json', body };
    return this.#retried(options, true, () => this.#json('PUT', path, {}, json, options));
  }

  /** A merge patch (RFC 7386). */
  patch(path: string, body: object, options: CallOptions = {}): Promise<unknown> {
    const json = { type: 'application/merge-patch+json', body };
    return this.#retried(options, false, () => this.#json('PATCH', path, {}, json, options));
  }

  async delete(path: string, options: CallOptions = {}): Promise<void> {
    await this.#retried(options, true, () => this.#json('DELETE', path, {}, null, options));
  }

  /**
   * Everything there is, page by page. `onPage` may throw where it grows too much. A list whose pages run out under way
   * is begun again, once, in a single page.
   */
  async list(
    path: string,
    query: Query = {},
    options: CallOptions & { readonly onPage?: (items: readonly unknown[]) => void } = {},
  ): Promise<ObjectList> {
    let limit: number | undefined = pageSize;
    for (;;) {
      const items: unknown[] = [];
      let continues: string | undefined;
      try {
        for (;;) {
          const page = pageOf(await this.get(path, { ...query, limit, continue: continues }, options));
          options.onPage?.(page.items);
          for (const item of page.items) items.push(item);
          if (page.continues === null) return { items, resourceVersion: page.resourceVersion };
          continues = page.continues;
        }
      } catch (error) {
        if (!(error instanceof ApiError && error.isGone && limit !== undefined && continues !== undefined))
          throw error;
        limit = undefined;
      }
    }
  }

  /**
   * Events from a resourceVersion on (in `query`). Resolves when the server ends the watch in order, as it does after
   * `timeoutSeconds`; rejects with what it says in place of an event, when the connection breaks, and when it is silent for too long.
   */
  async watch(
    path: string,
    query: Query,
    { signal, onOpen, onEvent, silenceMs }: WatchOptions,
  ): Promise<void> {
    const leave = await this.#gate.enter();
    try {
      const { body } = await this.#send('GET', path, { ...query, watch: true }, null, signal, silenceMs);
      leave();
      onOpen?.();
      const lines = new Lines();
      for await (const piece of body as AsyncIterable<Buffer>) {
        for (const line of lines.take(piece)) {
          const event = eventOf(line);
          if ('error' in event) throw event.error;
          onEvent(event);
        }
      }
    } catch (error) {
      throw this.#told(error);
    } finally {
      leave();
    }
  }

  /** Ends what is under way. Nothing can be asked afterwards. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#connections.close();
  }

  async #json(
    method: Dispatcher.HttpMethod,
    path: string,
    query: Query,
    sent: Sent | null,
    { signal }: CallOptions,
  ): Promise<unknown> {
    const leave = await this.#gate.enter();
    const within = AbortSignal.timeout(this.#withinMs);
    const until = signal === undefined ? within : AbortSignal.any([signal, within]);
    try {
      const { body } = await this.#send(method, path, query, sent, until, this.#withinMs);
      const text = await readText(body, maxAnswer);
      if (text === null) throw new ApiError(0, 'Unreadable', `the answer is larger than ${maxAnswer} bytes`);
      return JSON.parse(text) as unknown;
    } catch (error) {
      throw this.#told(error);
    } finally {
      leave();
    }
  }

  async #send(
    method: Dispatcher.HttpMethod,
    path: string,
    query: Query,
    sent: Sent | null,
    signal: AbortSignal,
    silenceMs: number,
  ): Promise<Dispatcher.ResponseData> {
    const access = await this.#credentials.access();
    if (this.#isClosed) throw new ApiError(0, 'Aborted', 'the client is closed');
    this.#server = access.server;
    const url = new URL(access.server + path);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const answer = await this.#connections.for(access).request({
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      headers: headersOf(access, sent),
      body: sent === null ? null : JSON.stringify(sent.body),
      signal,
      headersTimeout: this.#withinMs,
      bodyTimeout: silenceMs,
    });
    const { statusCode } = answer;
    if (statusCode >= 200 && statusCode < 300) return answer;
    const text = (await readText(answer.body, maxError)) ?? '';
    const retryAfter = answer.headers['retry-after'];
    throw errorOfAnswer(statusCode, typeof retryAfter === 'string' ? retryAfter : null, text);
  }

  /** The error in our own form; what came of our credentials or of trust has them read anew. */
  #told(error: unknown): ApiError {
    const told = toApiError(error);
    if (told.status === 401) this.#credentials.refresh();
    // A server that has moved, or has another CA, shows as one that does not answer.
    else if (told.reason === 'Unreachable') this.#credentials.refresh(unreachableRefreshMs);
    return told;
  }

  async #retried<Result>(
    { attempts = 1, signal }: CallOptions,
    isRepeatable: boolean,
    call: () => Promise<Result>,
  ): Promise<Result> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await call();
      } catch (error) {
        const { status, isPassing, retryAfterMs } = toApiError(error);
        // 429 and 503 say that nothing was done.
        const mayRepeat = status === 429 || status === 503 || (isRepeatable && isPassing);
        if (attempt >= attempts || !mayRepeat || this.#isClosed) throw error;
        const delay = retryAfterMs ?? Math.min(10_000, 200 * 2 ** attempt);
        await wait(delay * (0.5 + Math.random()), undefined, signal === undefined ? {} : { signal });
      }
    }
  }
}

interface Sent {
  readonly type: string;
  readonly body: object;
}

function headersOf({ headers }: Access, sent: Sent | null): Record<string, string> {
  return {
    accept: 'application/json',
    'user-agent': `mtls-ingress/${version}`,
    ...headers,
    ...(sent === null ? {} : { 'content-type': sent.type }),
  };
}

/** Null where there is more than that. */
async function readText(body: Dispatcher.ResponseData['body'], most: number): Promise<string | null> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of body as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > most) {
      body.destroy();
      return null;
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces, length).toString('utf8');
}

/** Believed in nothing: an empty list that is none would take every host away. */
function pageOf(data: unknown): {
  readonly items: readonly unknown[];
  readonly resourceVersion: string;
  readonly continues: string | null;
} {
  const { kind, items, metadata } = (data ?? {}) as Record<string, unknown>;
  const { resourceVersion, continue: continues } = (metadata ?? {}) as Record<string, unknown>;
  const isList =
    typeof kind === 'string' && kind.endsWith('List') && (Array.isArray(items) || items === null);
  if (!isList || typeof resourceVersion !== 'string' || resourceVersion === '') {
    throw new ApiError(0, 'Unreadable', 'the API server answered what is no list');
  }
  return {
    items: (items as readonly unknown[] | null) ?? [],
    resourceVersion,
    continues: typeof continues === 'string' && continues !== '' ? continues : null,
  };
}

function eventOf(line: string): WatchEvent | { readonly error: ApiError } {
  const { type, object } = JSON.parse(line) as { readonly type?: unknown; readonly object?: unknown };
  if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED' || type === 'BOOKMARK')
    return { type, object };
  if (type === 'ERROR') return { error: errorOfEvent(object) };
  throw new ApiError(0, 'Unreadable', 'the watch brought what is no event');
}

function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof SyntaxError)
    return new ApiError(0, 'Unreadable', 'the API server answered what is no JSON', { cause: error });
  const { code, message, name } = error as NodeJS.ErrnoException;
  if (name === 'AbortError')
    return new ApiError(0, 'Aborted', 'nobody waits for it any more', { cause: error });
  const why = name === 'TimeoutError' ? 'it took too long' : (code ?? message);
  return new ApiError(0, 'Unreachable', `the API server does not answer: ${why}`, { cause: error });
}
