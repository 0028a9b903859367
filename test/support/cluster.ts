import { type ChildProcess, spawn } from 'node:child_process';
import { createSign, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import type { Test } from 'tap';
import { ApiClient } from '../../src/ingress/kubernetes/api-client.ts';
import { ApiError } from '../../src/ingress/kubernetes/api-error.ts';
import { Credentials } from '../../src/ingress/kubernetes/credentials.ts';
import { pathOf } from '../../src/ingress/kubernetes/resource.ts';
import { freePort } from './free-port.ts';
import type { Manifest } from './objects.ts';
import { createAuthority, type Issued, type TestAuthority } from './pki.ts';
import { has } from './program.ts';

const assets = process.env['KUBEBUILDER_ASSETS'];
const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'mtls-ingress');

function binary(name: string, fallback: string): string {
  const given = assets === undefined ? null : join(assets, name);
  return given !== null && existsSync(given) ? given : fallback;
}

const apiserver = binary('kube-apiserver', join(cache, 'kube-apiserver-1.20.2'));
const etcd = binary('etcd', 'etcd');
const kubectl = binary('kubectl', 'kubectl');

/** The `skip` option of tests that need an API server. `.ci/kube-apiserver` makes one. */
export function needsCluster(): { readonly skip: string | false } {
  const missing = [
    ...(existsSync(apiserver) ? [] : ['kube-apiserver (.ci/kube-apiserver)']),
    ...(has(etcd, '--version') ? [] : ['etcd (etcd-server)']),
    ...(has(kubectl, 'version', '--client') ? [] : ['kubectl']),
  ];
  const skip = missing.length > 0 && process.env['CI'] !== 'true';
  return { skip: skip ? `needs ${missing.join(', ')}` : false };
}

export interface ClusterOptions {
  /** More flags of kube-apiserver. */
  readonly flags?: readonly string[];
}

/** A real API server over an etcd of its own, on loopback ports, with RBAC. No controllers run. */
export class TestCluster {
  readonly port: number;
  readonly #dir: string;
  readonly #etcdPort: number;
  readonly #flags: readonly string[];
  readonly #authority: TestAuthority;
  readonly #accountKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  #client: ApiClient | null = null;
  #etcd: ChildProcess | null = null;
  #server: ChildProcess | null = null;

  private constructor(
    dir: string,
    ports: { readonly api: number; readonly etcd: number },
    authority: TestAuthority,
    flags: readonly string[],
  ) {
    this.#dir = dir;
    this.port = ports.api;
    this.#etcdPort = ports.etcd;
    this.#authority = authority;
    this.#flags = flags;
  }

  /** Starts both, and ends them with the test. Again with other ports where another was quicker to take one. */
  static async start(t: Test, { flags = [] }: ClusterOptions = {}): Promise<TestCluster> {
    for (let left = 3; ; left--) {
      const cluster = await TestCluster.#make(flags);
      try {
        await cluster.startEtcd();
        await cluster.startServer();
        t.teardown(() => cluster.stop());
        return cluster;
      } catch (error) {
        await cluster.stop();
        if (left === 1 || !/address already in use/.test(String(error))) throw error;
      }
    }
  }

  static async #make(flags: readonly string[]): Promise<TestCluster> {
    const dir = mkdtempSync(join(tmpdir(), 'mtls-ingress-cluster-'));
    const authority = await createAuthority({ cn: 'test cluster' });
    const admin = await authority.issue({
      subject: [
        ['O', 'system:masters'],
        ['CN', 'admin'],
      ],
    });
    const ports = { api: await freePort(), etcd: await freePort() };
    const cluster = new TestCluster(dir, ports, authority, flags);
    const hosts = ['localhost', 'kubernetes.default.svc', '127.0.0.1'];
    const server = await authority.issue({ cn: 'kube-apiserver', hosts, usage: 'server' });
    cluster.#write('ca.pem', authority.cert);
    cluster.#write('server.pem', server.bundle);
    cluster.#write('server-key.pem', server.key);
    cluster.#write('account-key.pem', cluster.#accountKey.privateKey.export({ type: 'sec1', format: 'pem' }));
    cluster.#write('account.pem', cluster.#accountKey.publicKey.export({ type: 'spki', format: 'pem' }));
    cluster.kubeconfig = cluster.writeKubeconfig('admin', { cert: admin.cert, key: admin.key });
    return cluster;
  }

  /** Of an administrator. */
  kubeconfig = '';

  get server(): string {
    return `https://127.0.0.1:${this.port}`;
  }

  /** The CA of the server, PEM. */
  get ca(): string {
    return this.#authority.cert;
  }

  /** Writes a kubeconfig for a client certificate or a token, for this server or what stands in front of it. */
  writeKubeconfig(
    name: string,
    user:
      | { readonly cert: string; readonly key: string }
      | { readonly token: string }
      | { readonly tokenFile: string },
    server = this.server,
  ): string {
    const base64 = (text: string): string => Buffer.from(text).toString('base64');
    const credentials =
      'cert' in user
        ? { 'client-certificate-data': base64(user.cert), 'client-key-data': base64(user.key) }
        : 'token' in user
          ? { token: user.token }
          : { 'auth-provider': { name: 'tokenFile', config: { tokenFile: user.tokenFile } } };
    return this.#write(
      `${name}.kubeconfig`,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': base64(this.ca) } }],
        users: [{ name, user: credentials }],
        contexts: [{ name, context: { cluster: 'test', user: name, namespace: 'default' } }],
        'current-context': name,
      }),
    );
  }

  /** A certificate of the cluster's CA for a user: nobody has any rights but by RBAC. */
  issueUser(cn: string): Promise<Issued> {
    return this.#authority.issue({ cn });
  }

  /** Of the administrator. Closed with the cluster. */
  client(): ApiClient {
    return (this.#client ??= new ApiClient(new Credentials({ kubeconfig: this.kubeconfig })));
  }

  /** A service account's token, valid for so many seconds. The account must exist. */
  token(namespace: string, name: string, uid: string, seconds: number): string {
    const now = Math.floor(Date.now() / 1000);
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const head = encode({ alg: 'ES256', typ: 'JWT' });
    const claims = encode({
      iss: 'https://kubernetes.default.svc',
      aud: ['https://kubernetes.default.svc'],
      sub: `system:serviceaccount:${namespace}:${name}`,
      iat: now - 60,
      nbf: now - 60,
      exp: now + seconds,
      'kubernetes.io': { namespace, serviceaccount: { name, uid } },
    });
    const signature = createSign('sha256')
      .update(`${head}.${claims}`)
      .sign({ key: this.#accountKey.privateKey, dsaEncoding: 'ieee-p1363' });
    return `${head}.${claims}.${signature.toString('base64url')}`;
  }

  /** Runs kubectl as the administrator; gives what it prints. */
  async kubectl(args: readonly string[], input = ''): Promise<string> {
    const child = spawn(
      kubectl,
      ['--kubeconfig', this.kubeconfig, '--cache-dir', join(this.#dir, 'cache'), ...args],
      { stdio: 'pipe' },
    );
    const exited = once(child, 'close');
    child.stdin.on('error', () => {}).end(input);
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
    const [code] = (await exited) as [number | null];
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${err}`);
    return out;
  }

  /** Applies objects with kubectl: text of YAML as it is, or values. */
  async apply(...objects: readonly (string | Manifest)[]): Promise<void> {
    const values = objects.filter((one) => typeof one !== 'string');
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: values });
    for (const input of [
      ...(values.length === 0 ? [] : [list]),
      ...objects.filter((one) => typeof one === 'string'),
    ])
      await this.kubectl(['apply', '-f', '-'], input);
  }

  /** Creates objects or puts them in the place of what is there, without kubectl. */
  async put(...objects: readonly Manifest[]): Promise<void> {
    const client = this.client();
    for (const object of objects) {
      const { path, name } = placeOf(object);
      const there = await client.get(`${path}/${name}`).catch((error: unknown) => {
        if (error instanceof ApiError && error.status === 404) return null;
        throw error;
      });
      if (there === null) await client.create(path, object);
      else await client.replace(`${path}/${name}`, withVersion(object, there));
    }
  }

  /** Creates an object that is not there. */
  async create(object: Manifest): Promise<void> {
    await this.client().create(placeOf(object).path, object);
  }

  async remove(...objects: readonly Manifest[]): Promise<void> {
    for (const object of objects) {
      const { path, name } = placeOf(object);
      await this.client().delete(`${path}/${name}`);
    }
  }

  /** Throws all old versions of objects away: whoever wants to watch from one of them gets 410. */
  async compact(): Promise<void> {
    const ask = async (path: string, body: object): Promise<Record<string, unknown>> => {
      const answer = await fetch(`http://127.0.0.1:${this.#etcdPort}/v3/kv/${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
      });
      if (!answer.ok) throw new Error(`etcd: ${await answer.text()}`);
      return (await answer.json()) as Record<string, unknown>;
    };
    const { header } = await ask('range', { key: Buffer.from('x').toString('base64') });
    const { revision } = header as { revision: string };
    await ask('compaction', { revision, physical: true });
  }

  async startEtcd(): Promise<void> {
    const client = `http://127.0.0.1:${this.#etcdPort}`;
    const peer = `http://127.0.0.1:${await freePort()}`;
    this.#etcd = run(etcd, [
      '--name=test',
      `--data-dir=${join(this.#dir, 'etcd')}`,
      '--unsafe-no-fsync',
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=test=${peer}`,
      '--log-level=error',
    ]);
    await answers(`${client}/health`, this.#etcd);
  }

  async startServer(): Promise<void> {
    const file = (name: string): string => join(this.#dir, name);
    this.#server = run(apiserver, [
      `--etcd-servers=http://127.0.0.1:${this.#etcdPort}`,
      `--secure-port=${this.port}`,
      '--bind-address=127.0.0.1',
      // No loopback address is taken here; nobody asks there.
      '--advertise-address=192.0.2.1',
      '--endpoint-reconciler-type=none',
      '--service-cluster-ip-range=10.96.0.0/16',
      `--cert-dir=${this.#dir}`,
      `--tls-cert-file=${file('server.pem')}`,
      `--tls-private-key-file=${file('server-key.pem')}`,
      `--client-ca-file=${file('ca.pem')}`,
      '--authorization-mode=RBAC',
      '--service-account-issuer=https://kubernetes.default.svc',
      '--api-audiences=https://kubernetes.default.svc',
      `--service-account-key-file=${file('account.pem')}`,
      `--service-account-signing-key-file=${file('account-key.pem')}`,
      '--shutdown-delay-duration=0s',
      ...this.#flags,
    ]);
    const client = this.client();
    for (const until = Date.now() + 60_000; ;) {
      try {
        await client.get('/api/v1/namespaces/default');
        return;
      } catch (error) {
        if (Date.now() > until || this.#server.exitCode !== null)
          throw new Error(`kube-apiserver did not start: ${logOf(this.#server)}`, { cause: error });
        await wait(100);
      }
    }
  }

  /** Ends the API server at once, as a crash does. */
  async killServer(): Promise<void> {
    await end(this.#server);
    this.#server = null;
  }

  async stop(): Promise<void> {
    await this.#client?.close();
    await end(this.#server);
    await end(this.#etcd);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #write(name: string, contents: string): string {
    const path = join(this.#dir, name);
    writeFileSync(path, contents, { mode: 0o600 });
    return path;
  }
}

/** Where an object belongs. */
function placeOf({ kind, metadata, ...rest }: Manifest): { readonly path: string; readonly name: string } {
  const plural =
    kind === 'Endpoints' ? 'endpoints' : `${kind.toLowerCase()}${/(?:s|ss)$/.test(kind) ? 'es' : 's'}`;
  const resource = { kind, apiVersion: String(rest['apiVersion']), plural };
  return { path: pathOf(resource, metadata.namespace ?? null), name: metadata.name };
}

/** What a server fills in stays as it is. */
function withVersion(object: Manifest, there: unknown): object {
  const { metadata, spec } = there as { metadata: Record<string, unknown>; spec?: Record<string, unknown> };
  const { resourceVersion } = metadata;
  const clusterIp = object.kind === 'Service' ? { clusterIP: spec?.['clusterIP'] } : {};
  const own = object['spec'] as object | undefined;
  return {
    ...object,
    metadata: { ...object.metadata, resourceVersion },
    ...(own === undefined ? {} : { spec: { ...clusterIp, ...own } }),
  };
}

const logs = new WeakMap<ChildProcess, string[]>();

function run(program: string, args: readonly string[]): ChildProcess {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const lines: string[] = [];
  logs.set(child, lines);
  child.stderr.on('data', (chunk: Buffer) => {
    lines.push(chunk.toString());
    if (lines.length > 200) lines.shift();
  });
  return child;
}

function logOf(child: ChildProcess): string {
  return (logs.get(child) ?? []).join('').slice(-3000);
}

async function answers(url: string, child: ChildProcess): Promise<void> {
  for (const until = Date.now() + 30_000; ;) {
    const ok = await fetch(url).then(
      (answer) => answer.ok,
      () => false,
    );
    if (ok) return;
    if (Date.now() > until || child.exitCode !== null) throw new Error(`${url}: ${logOf(child)}`);
    await wait(50);
  }
}

async function end(child: ChildProcess | null): Promise<void> {
  if (child === null || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** For objects put together in tests. */
export function fileText(...path: readonly string[]): string {
  return readFileSync(join(import.meta.dirname, '..', '..', ...path), 'utf8');
}
