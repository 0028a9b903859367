import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import { ApiError } from './api-error.ts';
import type { Access } from './credentials.ts';

const connectTimeoutMs = 10_000;

/** How often a connection of HTTP/2 is asked whether it lives, in milliseconds. */
const pingIntervalMs = 15_000;

/** Watches that share one connection of HTTP/2. The server allows 250 where it says nothing else. */
const maxStreams = 100;

/** Connections to the API server: one pool for what we are now, and those that are running out. */
export class Connections {
  #key: string | null = null;
  #current: Dispatcher | null = null;
  readonly #old = new Set<Dispatcher>();

  /**
   * The pool for this server and this certificate. When they have changed, requests under way finish on the old one.
   * @throws ApiError for a proxy that cannot be spoken to.
   */
  for(access: Access): Dispatcher {
    if (this.#current !== null && this.#key === access.key) return this.#current;
    const next = create(access);
    const before = this.#current;
    if (before !== null) {
      this.#old.add(before);
      void before
        .close()
        .catch(() => {})
        .finally(() => this.#old.delete(before));
    }
    this.#key = access.key;
    this.#current = next;
    return next;
  }

  /** Ends everything at once. */
  async close(): Promise<void> {
    const all = [...this.#old, ...(this.#current === null ? [] : [this.#current])];
    this.#current = null;
    await Promise.all(all.map((one) => one.destroy().catch(() => {})));
  }
}

function create({ tls, proxy }: Access): Dispatcher {
  const options = {
    pipelining: 1,
    h2Options: { pingInterval: pingIntervalMs, maxConcurrentStreams: maxStreams },
  };
  const connect = { ...tls, timeout: connectTimeoutMs, keepAlive: true, keepAliveInitialDelay: 15_000 };
  if (proxy === null) return new Agent({ ...options, connect });
  if (!/^https?:/.test(proxy))
    throw new ApiError(0, 'Unreachable', 'the way to the API server leads over a proxy that is not HTTP');
  return new ProxyAgent({ ...options, uri: proxy, requestTls: connect });
}
