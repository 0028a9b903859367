import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createAuthority, type Issued, writeFiles } from '../test/support/pki.ts';

const nodeFlags = JSON.parse(
  readFileSync(join(import.meta.dirname, '..', 'bin', 'node-flags.json'), 'utf8'),
) as readonly string[];

/** The server name of every proxy measured. */
export const host = 'bench.test';

/** A process that shares its core with no other at work: 0 is for load and origin, 1 for the proxies. */
export type Core = 0 | 1;

/** A proxy under measurement. */
export interface Proxy {
  readonly name: string;
  /** Its CPU time and memory, children included, are what is measured. */
  readonly pid: number;
  readonly port: number;
}

/** Certificates of one bench, P-256: a root, an intermediate, a server and a client of OU ITOps. */
export interface Material {
  /** PEM of the root. */
  readonly ca: string;
  readonly client: Issued;
}

/** A folder for the files of one bench, and the programs it starts, all gone at its end. */
export class Rig {
  readonly dir = mkdtempSync(join(tmpdir(), 'mtls-ingress-bench-'));
  /** Each process runs on its core alone. */
  readonly pinned =
    availableParallelism() > 1 && spawnSync('taskset', ['-acp', '0', String(process.pid)]).status === 0;
  readonly #children: ChildProcess[] = [];

  /** Writes root.pem, server.pem, server-key.pem, and both in haproxy.pem. */
  async writeMaterial(): Promise<Material> {
    const root = await createAuthority({ cn: 'Bench root' });
    const intermediate = await createAuthority({ cn: 'Bench intermediate', parent: root });
    const server = await intermediate.issue({ cn: host, hosts: [host], usage: 'server' });
    writeFiles(this.dir, {
      'root.pem': root.cert,
      'server.pem': server.bundle,
      'server-key.pem': server.key,
      'haproxy.pem': server.bundle + server.key,
    });
    return { ca: root.cert, client: await intermediate.issue({ cn: 'bench', ou: 'ITOps' }) };
  }

  /** Starts a program on a core. With `ipc` it must be Node, and can be sent messages. */
  start(
    core: Core,
    args: readonly string[],
    ipc = false,
    errors: 'inherit' | 'ignore' = 'inherit',
  ): ChildProcess {
    const [file = '', ...rest] = this.pinned ? ['taskset', '-c', String(core), ...args] : args;
    const child = spawn(file, rest, {
      cwd: this.dir,
      stdio: ['ignore', 'pipe', errors, ...(ipc ? ['ipc' as const] : [])],
    });
    this.#children.push(child);
    return child;
  }

  /** @param http Directives of the http block. */
  async startNginx(core: Core, name: string, port: number, http: string, workers = 1): Promise<Proxy> {
    const { dir } = this;
    const file = join(dir, `${name}-${port}.conf`);
    writeFileSync(
      file,
      `daemon off; worker_processes ${workers}; pid ${dir}/${name}-${port}.pid; error_log stderr error; worker_rlimit_nofile 20000;
events { worker_connections 8192; }
http { access_log off; client_body_temp_path ${dir}/${name}-body; proxy_temp_path ${dir}/${name}-proxy;
fastcgi_temp_path ${dir}/${name}-f; uwsgi_temp_path ${dir}/${name}-u; scgi_temp_path ${dir}/${name}-s;
keepalive_requests 1000000; keepalive_timeout 600s; ${http} }`,
    );
    return this.#running('nginx', this.start(core, ['nginx', '-p', dir, '-c', file]), port);
  }

  /** One thread. @param sections What follows `global` and `defaults`. */
  async startHaproxy(core: Core, port: number, sections: string): Promise<Proxy> {
    const file = join(this.dir, `haproxy-${port}.cfg`);
    writeFileSync(
      file,
      `global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 600s
${sections}`,
    );
    return this.#running('HAProxy', this.start(core, ['haproxy', '-db', '-q', '-f', file]), port);
  }

  /** @param file A Caddyfile's text. One processor's worth of threads at work. */
  async startCaddy(core: Core, port: number, file: string): Promise<Proxy> {
    const path = join(this.dir, `Caddyfile-${port}`);
    writeFileSync(path, file);
    const home = [
      'env',
      'GOMAXPROCS=1',
      `HOME=${this.dir}`,
      `XDG_DATA_HOME=${this.dir}`,
      `XDG_CONFIG_HOME=${this.dir}`,
    ];
    const child = this.start(
      core,
      [...home, 'caddy', 'run', '--adapter', 'caddyfile', '--config', path],
      false,
      'ignore',
    );
    return this.#running('Caddy', child, port);
  }

  /**
   * NODE_FLAGS are for our proxy's Node, in place of those that it is started with as a rule.
   * @param settings YAML below the listeners. There is no access log unless it says so.
   */
  async startOurs(core: Core, settings: string, name = 'mtls-ingress'): Promise<Proxy> {
    const file = join(this.dir, `config-${this.#children.length}.yaml`);
    writeFileSync(
      file,
      `listeners: { https: { address: 127.0.0.1, port: 0 }, admin: { address: 127.0.0.1, port: 0 } }
${settings.includes('accessLog:') ? '' : 'accessLog: false'}
${settings}`,
    );
    const bin = join(import.meta.dirname, '..', 'bin', 'mtls-ingress');
    const flags = (process.env['NODE_FLAGS'] ?? nodeFlags.join(' ')).split(' ').filter((flag) => flag !== '');
    const child = this.start(core, [process.execPath, ...flags, bin, 'serve', '--config', file]);
    for await (const line of createInterface({ input: child.stdout! })) {
      const { listener, port } = JSON.parse(line) as { listener?: string; port?: number };
      if (listener !== 'https' || port === undefined) continue;
      child.stdout!.resume();
      return { name, pid: child.pid!, port };
    }
    throw new Error('mtls-ingress did not start');
  }

  /** Ends every program and removes the folder. */
  async close(): Promise<void> {
    for (const child of this.#children) child.kill('SIGTERM');
    const left = this.#children.filter((child) => child.exitCode === null && child.signalCode === null);
    await Promise.all(left.map((child) => once(child, 'exit')));
    rmSync(this.dir, { recursive: true, force: true });
  }

  async #running(name: string, child: ChildProcess, port: number): Promise<Proxy> {
    await once(child, 'spawn');
    child.stdout!.resume();
    while (!(await answers(port))) if (child.exitCode !== null) throw new Error(`${name} did not start`);
    return { name, pid: child.pid!, port };
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
