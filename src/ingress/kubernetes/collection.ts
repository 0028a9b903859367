import { hash } from 'node:crypto';
import { BackOff } from '../../back-off.ts';
import { Slices } from '../../slices.ts';
import type { ApiClient, Query, WatchEvent } from './api-client.ts';
import { ApiError } from './api-error.ts';
import type { Health } from './health.ts';
import { discoveryPath, pathOf, type Resource } from './resource.ts';

/** How long things may take, in milliseconds. */
export interface Times {
  /** A watch is ended by the server after one to two times this. */
  readonly watchMs: number;
  /** Without a byte for so long a watch counts as dead. Servers send a bookmark every minute. */
  readonly silenceMs: number;
  /** The longest wait between attempts. */
  readonly longestWaitMs: number;
}

export const standardTimes: Times = { watchMs: 300_000, silenceMs: 150_000, longestWaitMs: 30_000 };

export interface CollectionOptions<Value> {
  readonly client: Pick<ApiClient, 'get' | 'list' | 'watch'>;
  /** In messages: `Ingress`, `Secret shop/tls`. No two have the same. */
  readonly label: string;
  /** What it may be served as; the first that the server has is taken. */
  readonly resources: readonly Resource[];
  /** Where the server refuses to list it, or has no such kind, there is none of it. */
  readonly isOptional: boolean;
  /** That it may not be read is no fault. */
  readonly isDispensable?: boolean;
  /** Null: all. */
  readonly namespace: string | null;
  /** Selectors. */
  readonly query?: (resource: Resource) => Query;
  /** What is kept of an object, as plain JSON with `kind` and `apiVersion`. Null: nothing. */
  readonly read: (object: object) => Value | null;
  /** Of what can matter: with the same print an object has not changed. Without: of everything but what is said about it. */
  readonly print?: (object: Readonly<Record<string, unknown>>) => string;
  /** What is kept of what controllers say about an object, which is no change of it. Without: nothing. */
  readonly readStatus?: (status: unknown) => string;
  /** Something has been added, changed or removed. */
  readonly onChange: () => void;
  readonly health: Health;
  readonly times?: Partial<Times>;
}

interface Entry<Value> {
  readonly resourceVersion: string;
  /** Of everything in the object that can matter. */
  readonly print: string;
  readonly value: Value | null;
  readonly status: string;
}

/** More objects of one kind are not kept. */
const maxObjects = 200_000;

/** Attempts to go on with a watch that the server fails in a row, after which everything is listed anew. */
const maxResumes = 5;

/**
 * The objects of a kind, as they are at the API server: listed once, then watched. Whatever fails is tried again for as long as
 * it takes, and what was known last stays. Objects whose contents are the same stay the same values, by identity.
 */
export class Collection<Value> {
  readonly #options: CollectionOptions<Value>;
  readonly #times: Times;
  readonly #stop = new AbortController();
  readonly #settled = Promise.withResolvers<void>();
  #entries = new Map<string, Entry<Value>>();
  /** From where a watch goes on; null: there has to be a list first. */
  #version: string | null = null;
  #resource: Resource | null = null;
  #resumes = 0;
  #isSynced = false;

  constructor(options: CollectionOptions<Value>) {
    this.#options = options;
    this.#times = { ...standardTimes, ...options.times };
    void this.#run();
  }

  /** Resolves when everything was listed once, or, for what is optional, the server has refused that. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  /** Everything was listed once. */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  *values(): Generator<Value, void, undefined> {
    for (const { value } of this.#entries.values()) if (value !== null) yield value;
  }

  /** What is said about an object (`namespace/name`) now, as `readStatus` has it; null: there is no such object. */
  statusOf(key: string): string | null {
    return this.#entries.get(key)?.status ?? null;
  }

  /** Ends it. */
  close(): void {
    this.#stop.abort();
    this.#settled.resolve();
    this.#options.health.forget(this.#options.label);
  }

  async #run(): Promise<void> {
    const { health, label, isDispensable } = this.#options;
    const backOff = new BackOff(this.#times.longestWaitMs);
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const began = performance.now();
      let error: ApiError | null = null;
      try {
        if (this.#version === null) await this.#list();
        await this.#watch();
      } catch (caught) {
        // What is no ApiError is a mistake of ours in reading: everything is read anew.
        error = caught instanceof ApiError ? caught : new ApiError(0, 'Unreadable', String(caught));
      }
      if (isAborted(signal)) return;
      const ranMs = performance.now() - began;
      // The server ends each watch after some minutes: that is no failure.
      if (error === null && ranMs > shortest) continue;
      if (error !== null) {
        this.#consider(error);
        if (isDispensable === true && error.status === 403) health.refused(label, error);
        else health.failed(label, error);
      }
      const wait = backOff.next(ranMs) * (0.5 + Math.random());
      await health.pause(Math.max(wait, error?.retryAfterMs ?? 0), error, signal);
    }
  }

  /** What an error says about how to go on. */
  #consider(error: ApiError): void {
    const { status } = error;
    // Refused for good, as far as we can tell: nobody has to wait for it.
    if (this.#options.isOptional && (status === 403 || status === 404)) this.#settled.resolve();
    const isRefusedNow = status === 401 || status === 403 || status === 429;
    if (isRefusedNow) return;
    // A version too old, one the server cannot make sense of, or a kind that it no longer serves.
    const isLost = (status >= 400 && status < 500) || error.reason === 'Unreadable';
    // A server that answers, but never to this version, may know it no more; one that does not answer says nothing of it.
    const isDoubtful = status >= 500 && ++this.#resumes > maxResumes;
    if (isLost || isDoubtful) this.#version = null;
  }

  async #list(): Promise<void> {
    const { client, namespace, query, onChange } = this.#options;
    const { signal } = this.#stop;
    const resource = await this.#served();
    let count = 0;
    const { items, resourceVersion } = await client.list(
      pathOf(resource, namespace),
      query?.(resource) ?? {},
      {
        signal,
        onPage: (page) => {
          count += page.length;
          if (count > maxObjects) throw tooMany();
        },
      },
    );
    const entries = new Map<string, Entry<Value>>();
    const slices = new Slices();
    let hasChanged = resource.kind !== this.#resource?.kind;
    for (const item of items) {
      const read = this.#entry(item, resource);
      if (read === null) continue;
      entries.set(read.key, read.entry);
      hasChanged ||= this.#entries.get(read.key)?.value !== read.entry.value;
      if (slices.isOver) await slices.pause();
    }
    if (signal.aborted) return;
    hasChanged ||= entries.size !== this.#entries.size;
    this.#entries = entries;
    this.#version = resourceVersion;
    this.#resource = resource;
    this.#isSynced = true;
    this.#resumes = 0;
    this.#settled.resolve();
    if (hasChanged) onChange();
  }

  async #watch(): Promise<void> {
    const { client, namespace, query, health, label } = this.#options;
    const resource = this.#resource;
    if (resource === null || this.#version === null) return;
    const { watchMs, silenceMs } = this.#times;
    await client.watch(
      pathOf(resource, namespace),
      {
        ...query?.(resource),
        resourceVersion: this.#version,
        allowWatchBookmarks: true,
        // Not all at once.
        timeoutSeconds: Math.ceil((watchMs * (1 + Math.random())) / 1000),
      },
      {
        signal: this.#stop.signal,
        silenceMs: silenceMs * (1 + Math.random() / 4),
        onOpen: () => health.worked(label),
        onEvent: (event) => this.#take(event, resource),
      },
    );
  }

  #take({ type, object }: WatchEvent, resource: Resource): void {
    this.#resumes = 0;
    if (type === 'BOOKMARK') {
      this.#version = versionOf(object) ?? this.#version;
      return;
    }
    const read = this.#entry(object, resource);
    if (read === null) throw new ApiError(0, 'Unreadable', 'the watch brought what is no object');
    const { key, entry } = read;
    const before = this.#entries.get(key);
    if (type === 'DELETED') this.#entries.delete(key);
    else {
      if (before === undefined && this.#entries.size >= maxObjects) throw tooMany();
      this.#entries.set(key, entry);
    }
    this.#version = entry.resourceVersion;
    if (type === 'DELETED' ? before !== undefined : before?.value !== entry.value) this.#options.onChange();
  }

  /** Null for what is no object. */
  #entry(
    item: unknown,
    { kind, apiVersion }: Resource,
  ): { readonly key: string; readonly entry: Entry<Value> } | null {
    const resourceVersion = versionOf(item);
    if (resourceVersion === null) return null;
    const object = item as Readonly<Record<string, unknown>>;
    const { name, namespace } = object['metadata'] as Readonly<Record<string, unknown>>;
    if (typeof name !== 'string') return null;
    const key = typeof namespace === 'string' ? `${namespace}/${name}` : name;
    const before = this.#entries.get(key);
    if (before?.resourceVersion === resourceVersion && this.#resource?.apiVersion === apiVersion)
      return { key, entry: before };
    // Items of a list leave out what the list says.
    const whole = { ...object, kind, apiVersion };
    const { read, print: printed = printOf, readStatus } = this.#options;
    const print = printed(whole);
    const status = readStatus?.(object['status']) ?? '';
    if (before?.print === print) return { key, entry: { ...before, resourceVersion, status } };
    return { key, entry: { resourceVersion, print, value: read(whole), status } };
  }

  /** The first of the resources that the server has. */
  async #served(): Promise<Resource> {
    const { client, resources } = this.#options;
    for (const [index, resource] of resources.entries()) {
      const isLast = index === resources.length - 1;
      // Every server has the core group; and listing tells of the last as well as asking does.
      if (isLast || !resource.apiVersion.includes('/')) return resource;
      try {
        const answer = (await client.get(
          discoveryPath(resource.apiVersion),
          {},
          { signal: this.#stop.signal },
        )) as {
          readonly resources?: readonly { readonly name?: unknown }[];
        };
        if (answer.resources?.some(({ name }) => name === resource.plural) === true) return resource;
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 404)) throw error;
      }
    }
    throw new ApiError(404, 'NotFound', 'there is nothing to be read');
  }
}

/** A watch that ends sooner, in milliseconds, is not begun anew at once. */
const shortest = 1000;

function tooMany(): ApiError {
  return new ApiError(0, 'TooMany', `more than ${maxObjects} objects`);
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

function versionOf(object: unknown): string | null {
  const { metadata } = (object ?? {}) as { readonly metadata?: { readonly resourceVersion?: unknown } };
  const version = metadata?.resourceVersion;
  return typeof version === 'string' && version !== '' ? version : null;
}

/** What changes with every write, or is said by controllers about the object, tells nothing new. */
function printOf(object: Readonly<Record<string, unknown>>): string {
  const { status: _, metadata, ...rest } = object;
  const {
    resourceVersion: _1,
    managedFields: _2,
    generation: _3,
    ...meta
  } = metadata as Record<string, unknown>;
  return hash('sha256', JSON.stringify([rest, meta]), 'base64');
}
