import { once } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { openTls, request } from './client.ts';
import { createAuthority } from './pki.ts';
import type { Program } from './serve.ts';

const root = await createAuthority({ cn: 'Root A' });
const other = await createAuthority({ cn: 'Root B' });
const client = await root.issue({ ou: 'ITOps', cn: 'a' });
const server = await root.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
export const files = {
  'root.pem': root.cert,
  'other.pem': other.cert,
  'server.pem': server.bundle,
  'server.key': server.key,
};
export const config = (endpoint: string, more = '', ca = 'root.pem'): string => `
workers: 2
hosts:
  - names: [a.test]
    certificate: { cert: server.pem, key: server.key }
    clientAuth: { mode: require, ca: ${ca} }
    routes: [{ path: /, upstream: backend }]
upstreams: { backend: { endpoints: ['${endpoint}'] } }
${more}`;

interface Status {
  readonly configuration: string;
  readonly connections: number;
  readonly workers: readonly { readonly worker: number; readonly pid: number | null }[];
}

export const admin = async (program: Program, path: string): Promise<string> =>
  (await fetch(`http://127.0.0.1:${program.adminPort}${path}`)).text();
export const status = async (program: Program): Promise<Status> =>
  JSON.parse(await admin(program, '/status')) as Status;
export const metric = async (program: Program, name: string): Promise<number> => {
  const page = await admin(program, '/metrics');
  const values = [...page.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))];
  return values.reduce((sum, [, value]) => sum + Number(value), 0);
};
export const at = (program: Program) => ({
  port: program.httpsPort,
  serverName: 'a.test',
  certificate: client,
});
export const get = (program: Program) => request({ ...at(program), host: 'a.test' });

/** A kept connection that has had its answer, and the worker that serves it: the log says which. */
export async function keep(program: Program): Promise<{ socket: TLSSocket; worker: number }> {
  const socket = await openTls(at(program));
  socket.on('error', () => {});
  await ask(socket);
  const line = await program.line(
    (one) => (one['connection'] as { remote_port?: number } | undefined)?.remote_port === socket.localPort,
  );
  return { socket, worker: line['worker'] as number };
}

export async function ask(socket: TLSSocket): Promise<void> {
  socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
  await once(socket, 'data');
}

/** Kept connections, at least one at each worker. */
export async function keepBoth(program: Program): Promise<{ socket: TLSSocket; worker: number }[]> {
  const kept = [];
  do kept.push(await keep(program));
  while (new Set(kept.map(({ worker }) => worker)).size < 2);
  return kept;
}

/** Resolves when there is no such process. The test's own time limit is what ends a wait in vain. */
export async function goneBy(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise(setImmediate);
  }
}
