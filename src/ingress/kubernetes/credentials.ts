import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { ApiError } from './api-error.ts';

export interface CredentialOptions {
  /** A kubeconfig; null: `KUBECONFIG`, else the service account of the Pod, else `~/.kube/config`. */
  readonly kubeconfig?: string | null;
  /** The context in it; null: its current one. */
  readonly context?: string | null;
  /** Stands in for process.env. */
  readonly env?: NodeJS.ProcessEnv;
  /** Comes before the path of the service account's files, for tests. */
  readonly root?: string;
  /** Milliseconds that what was read is used before files and exec plug-ins are asked again. */
  readonly keepMs?: number;
}

/** Where the API server is, and who we are to it, at this moment. */
export interface Access {
  /** `https://host:port`, with a path where the server has one, without a slash at its end. */
  readonly server: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsAccess;
  /** An HTTP proxy on the way to it. */
  readonly proxy: string | null;
  /** The same for all that a connection is made with: server, proxy, trust, client certificate. */
  readonly key: string;
  /** The server's certificate is not verified: somebody asked for that. */
  readonly isInsecure: boolean;
}

export type TlsAccess = Pick<
  RequestOptions,
  'ca' | 'cert' | 'key' | 'pfx' | 'passphrase' | 'servername' | 'rejectUnauthorized'
>;

/** An exec plug-in that hangs holds nobody up for longer, in milliseconds. */
const accessWithinMs = 30_000;

/** A kubeconfig, or the service account of a Pod, read as often as they rotate. */
export class Credentials {
  readonly #options: CredentialOptions;
  #config: KubeConfig | null = null;
  #reading: Promise<Access> | null = null;
  #access: Access | null = null;
  #readAt = Number.NEGATIVE_INFINITY;
  /** When the kubeconfig was read. What it leads to may have been remembered since. */
  #openedAt = Number.NEGATIVE_INFINITY;

  constructor(options: CredentialOptions = {}) {
    this.#options = options;
  }

  /**
   * Rejects with an ApiError where there is no way to a cluster, or none right now. One reading at a time: a plug-in that hangs
   * is not started a second time.
   */
  async access(): Promise<Access> {
    const { keepMs = 10_000 } = this.#options;
    if (this.#access !== null && performance.now() - this.#readAt < keepMs) return this.#access;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
    const timeout = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      timeout.reject(new ApiError(0, 'Unreachable', 'the credentials for the cluster did not come in time'));
    }, accessWithinMs);
    try {
      return await Promise.race([this.#reading, timeout.promise]);
    } catch (error) {
      if (error instanceof ApiError) throw error;
      throw new ApiError(0, 'Unreachable', `no access to a cluster: ${messageOf(error)}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * The server did not take what we have: everything is read anew, the kubeconfig and the token's file too.
   *
   * @param olderThanMs What was read later than that ago stays: many requests fail together.
   */
  refresh(olderThanMs = 1000): void {
    if (performance.now() - this.#openedAt < olderThanMs) return;
    this.#access = null;
    this.#config = null;
  }

  /** The namespace of the Pod or of the context; null where neither says. */
  async namespace(): Promise<string | null> {
    const config = await this.#opened();
    return config.getContextObject(config.getCurrentContext())?.namespace?.trim() ?? null;
  }

  async #opened(): Promise<KubeConfig> {
    if (this.#config !== null) return this.#config;
    const config = await open(this.#options);
    this.#openedAt = performance.now();
    this.#config = config;
    return config;
  }

  async #read(): Promise<Access> {
    const config = await this.#opened();
    const cluster = config.getCurrentCluster();
    if (cluster === null)
      throw new Error(`there is no context ${config.getCurrentContext()} with a cluster in the kubeconfig`);
    const options: RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    // One that was asked for anew meanwhile is not kept.
    const isCurrent = this.#config === config;
    const access = accessOf(cluster.server, cluster.proxyUrl ?? null, options);
    if (isCurrent) {
      this.#access = access;
      this.#readAt = performance.now();
    }
    return access;
  }
}

function accessOf(server: string, proxy: string | null, options: RequestOptions): Access {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    // A token's file ends with a line feed as often as not.
    if (typeof value === 'string') headers[name] = value.trim();
  }
  if (typeof options.auth === 'string')
    headers['Authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  const { ca, cert, key, pfx, passphrase, servername, rejectUnauthorized } = options;
  const tls = Object.fromEntries(
    Object.entries({ ca, cert, key, pfx, passphrase, servername, rejectUnauthorized }).filter(
      ([, value]) => value !== undefined && value !== null,
    ),
  ) as TlsAccess;
  const hash = createHash('sha256').update(`${server} ${proxy}\n`);
  for (const [name, value] of Object.entries(tls)) {
    hash.update(`${name} `).update(Buffer.isBuffer(value) ? value : JSON.stringify(value));
  }
  return {
    server: server.replace(/\/+$/, ''),
    headers,
    tls,
    proxy,
    key: hash.digest('hex'),
    isInsecure: rejectUnauthorized === false,
  };
}

/** The client library is large: who does not talk to a cluster never loads it. */
async function open({
  kubeconfig = null,
  context = null,
  env = process.env,
  root = '',
}: CredentialOptions): Promise<KubeConfig> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  const home = join(env['HOME'] ?? homedir(), '.kube', 'config');
  const listed = (env['KUBECONFIG'] ?? '').split(':').filter((path) => path !== '');
  if (kubeconfig !== null) config.loadFromFile(kubeconfig);
  else if (listed.length > 0) {
    for (const [index, path] of listed.entries()) {
      if (index === 0) config.loadFromFile(path);
      else {
        const more = new KubeConfig();
        more.loadFromFile(path);
        config.mergeConfig(more, true);
      }
    }
  } else if ((env['KUBERNETES_SERVICE_HOST'] ?? '') !== '') config.loadFromCluster(root);
  else if (existsSync(home)) config.loadFromFile(home);
  else
    throw new Error('this is no Pod with a service account, and there is no kubeconfig: give --kubeconfig');
  if (context !== null) config.setCurrentContext(context);
  return config;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
