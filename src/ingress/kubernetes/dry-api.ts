import type { ApiClient } from './api-client.ts';
import type { Log } from './health.ts';

/** What is done at an API server: by an ApiClient, or by one that only reads. */
export type Api = Pick<ApiClient, 'get' | 'list' | 'watch' | 'create' | 'replace' | 'patch' | 'delete'>;

/** Writes that are remembered as told, at most; the oldest are told again. */
const maxTold = 10_000;

/** Characters of what would have been written, in a line. */
const maxBody = 1000;

/** Reads as the other does. What is written goes to the log, once for each object and kind of write, and nowhere else. */
export class DryApi implements Api {
  readonly get: Api['get'];
  readonly list: Api['list'];
  readonly watch: Api['watch'];
  readonly #log: Log;
  readonly #told = new Set<string>();

  constructor(api: Pick<Api, 'get' | 'list' | 'watch'>, log: Log) {
    this.get = (...args) => api.get(...args);
    this.list = (...args) => api.list(...args);
    this.watch = (...args) => api.watch(...args);
    this.#log = log;
  }

  async create(path: string, body: object): Promise<unknown> {
    const { metadata } = body as { readonly metadata?: { readonly name?: string } };
    return this.#tell('create', `${path}/${metadata?.name ?? ''}`, body);
  }

  async replace(path: string, body: object): Promise<unknown> {
    return this.#tell('replace', path, body);
  }

  async patch(path: string, body: object): Promise<unknown> {
    return this.#tell('patch', path, body);
  }

  async delete(path: string): Promise<void> {
    this.#tell('delete', path, null);
  }

  #tell<Body extends object | null>(verb: string, path: string, body: Body): Body {
    const key = `${verb} ${path}`;
    if (this.#told.has(key)) return body;
    for (const oldest of this.#told) {
      if (this.#told.size < maxTold) break;
      this.#told.delete(oldest);
    }
    this.#told.add(key);
    this.#log('info', 'dry run: not written', {
      verb,
      path,
      ...(body === null ? {} : { body: JSON.stringify(body).slice(0, maxBody) }),
    });
    return body;
  }
}
