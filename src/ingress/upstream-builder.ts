import { createHash } from 'node:crypto';
import type { UpstreamConfig } from '../config/schema.ts';
import { resolveBackend } from './endpoints.ts';
import type { Backend } from './object.ts';
import type { ObjectSet } from './object-set.ts';
import type { TranslateOptions } from './options.ts';

type Settings = Omit<UpstreamConfig, 'endpoints'>;

/** Collects upstreams. Backends that are alike share one. */
export class UpstreamBuilder {
  readonly #upstreams = new Map<string, UpstreamConfig>();
  readonly #faults = new Map<string, string>();
  readonly #objects: ObjectSet;
  readonly #options: TranslateOptions;

  constructor(objects: ObjectSet, options: TranslateOptions) {
    this.#objects = objects;
    this.#options = options;
  }

  get upstreams(): Record<string, UpstreamConfig> {
    return Object.fromEntries([...this.#upstreams].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** The upstream's name, `namespace.service.port`, and what is wrong with it. */
  add(
    namespace: string,
    backend: Backend,
    settings: Settings,
    clusterIp: boolean,
  ): { readonly name: string; readonly fault: string | null } {
    const name = upstreamName(namespace, backend, settings, clusterIp);
    if (!this.#upstreams.has(name)) {
      const { endpoints, fault } = resolveBackend(
        namespace,
        backend,
        this.#objects,
        this.#options.resolve,
        clusterIp,
      );
      this.#upstreams.set(name, { endpoints: [...endpoints], ...settings });
      if (fault !== undefined) this.#faults.set(name, fault);
    }
    return { name, fault: this.#faults.get(name) ?? null };
  }

  /** An upstream that was added has no endpoints. */
  isEmpty(name: string): boolean {
    return this.#upstreams.get(name)?.endpoints.length === 0;
  }
}

const maxName = 128;

/** No namespace, Service or port has a dot in its name, so no two backends share an upstream's name. */
function upstreamName(
  namespace: string,
  { service, port }: Backend,
  settings: Settings,
  clusterIp: boolean,
): string {
  const plain = `${namespace}.${service}.${port}${clusterIp ? '.cluster-ip' : ''}`;
  const isPlain = Object.keys(settings).length === 0;
  if (isPlain && plain.length <= maxName) return plain;
  const digest = createHash('sha256')
    .update(plain)
    .update(isPlain ? '' : JSON.stringify(settings))
    .digest('hex')
    .slice(0, 12);
  return `${plain.slice(0, maxName - digest.length - 1)}.${digest}`;
}
