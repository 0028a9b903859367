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

  /** Takes over what another one has collected; what has the same name is the same. */
  take(collected: ReadonlyMap<string, UpstreamConfig>): void {
    for (const [name, upstream] of collected) {
      if (!this.#upstreams.has(name)) this.#upstreams.set(name, upstream);
    }
  }

  /** By name. */
  get collected(): ReadonlyMap<string, UpstreamConfig> {
    return this.#upstreams;
  }

  get upstreams(): Record<string, UpstreamConfig> {
    const names = [...this.#upstreams.keys()].sort();
    return Object.fromEntries(names.map((name) => [name, this.#upstreams.get(name)!]));
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
        this.#options,
        clusterIp,
      );
      this.#upstreams.set(name, { endpoints: [...endpoints], ...settings });
      if (fault !== undefined) this.#faults.set(name, fault);
    }
    return { name, fault: this.#faults.get(name) ?? null };
  }

  /**
   * An upstream for `scheme://host:port`. `service.namespace` with or without `.svc` and the cluster's domain is that
   * Service, if it is known; any other host stands for itself.
   */
  addUrl(scheme: 'http' | 'https', host: string, port: number): string {
    const tls = scheme === 'https' ? { tls: { serverName: host } } : {};
    const match = /^([a-z0-9-]+)\.([a-z0-9-]+)(?:\.svc(?:\.[a-z0-9.-]+)?)?$/.exec(host);
    const [, service = '', namespace = ''] = match ?? [];
    const key = `${namespace}/${service}`;
    if (this.#objects.services.has(key) || this.#options.resolve.has(key)) {
      return this.add(namespace, { service, port }, tls, false).name;
    }
    const name = `url.${createHash('sha256').update(`${scheme} ${host} ${port}`).digest('hex').slice(0, 12)}`;
    const address = host.includes(':') ? `[${host}]` : host;
    this.#upstreams.set(name, { endpoints: [`${address}:${port}`], ...tls });
    return name;
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
