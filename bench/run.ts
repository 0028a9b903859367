import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createAuthority } from '../test/support/pki.ts';
import { cpuMicroseconds, quantile } from './cpu.ts';
import { Load } from './load.ts';

// CPU time of the proxy's own processes per proxied request, ours beside nginx's: client certificate required, OU
// checked, the same identity headers, a 100-byte answer, keep-alive on both sides. Many short rounds, ours and
// nginx's in turn, after a warm-up and without handshakes; proxies on one core, load and origin on another.
// Only the ratio means something. Needs Debian's nginx; taskset where there is one. NODE_FLAGS are for our proxy's
// node: `--cpu-prof --cpu-prof-dir=/tmp` leaves a profile.

const rounds = Number(process.env['ROUNDS'] ?? 15);
const requests = Number(process.env['REQUESTS'] ?? 4000);
const warmUpRequests = 20_000;
const connections = 16;
const host = 'bench.test';
const dir = mkdtempSync(join(tmpdir(), 'mtls-ingress-bench-'));
const children: ChildProcess[] = [];

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** A process that shares its core with no other at work: 0 is for load and origin, 1 for the proxies. */
type Core = 0 | 1;

const pinned =
  availableParallelism() > 1 && spawnSync('taskset', ['-acp', '0', String(process.pid)]).status === 0;

function start(core: Core, command: string, ...args: string[]): ChildProcess {
  const pin = pinned ? ['taskset', '-c', String(core)] : [];
  const [file = command, ...rest] = [...pin, command, ...args];
  const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

async function startNginx(core: Core, name: string, http: string): Promise<ChildProcess> {
  const file = join(dir, `${name}.conf`);
  writeFileSync(
    file,
    `daemon off; worker_processes 1; pid ${dir}/${name}.pid; error_log stderr error;
events { worker_connections 1024; }
http { access_log off; client_body_temp_path ${dir}/${name}-body; proxy_temp_path ${dir}/${name}-proxy;
fastcgi_temp_path ${dir}/${name}-f; uwsgi_temp_path ${dir}/${name}-u; scgi_temp_path ${dir}/${name}-s;
keepalive_requests 1000000; ${http} }`,
  );
  const child = start(core, 'nginx', '-p', dir, '-c', file);
  await once(child, 'spawn');
  return child;
}

async function answering(port: number): Promise<void> {
  for (;;) {
    const socket = connect({ host: '127.0.0.1', port });
    const up = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (up) return;
  }
}

async function startOurs(originPort: number): Promise<{ child: ChildProcess; port: number }> {
  writeFileSync(
    join(dir, 'config.yaml'),
    `listeners: { https: { address: 127.0.0.1, port: 0 }, admin: { address: 127.0.0.1, port: 0 } }
accessLog: false
limits: { keepAliveRequests: 1000000 }
hosts:
  - names: [${host}]
    certificate: { cert: server.pem, key: server-key.pem }
    clientAuth: { mode: require, ca: root.pem }
    routes: [{ path: /, upstream: origin, policy: { ou: ITOps } }]
upstreams: { origin: { endpoints: ['127.0.0.1:${originPort}'] } }
`,
  );
  const bin = join(import.meta.dirname, '..', 'bin', 'mtls-ingress');
  const child = start(
    1,
    process.execPath,
    ...(process.env['NODE_FLAGS'] ?? '').split(' ').filter((flag) => flag !== ''),
    bin,
    'serve',
    '--config',
    join(dir, 'config.yaml'),
  );
  for await (const line of createInterface({ input: child.stdout! })) {
    const { listener, port } = JSON.parse(line) as { listener?: string; port?: number };
    if (listener === 'https' && port !== undefined) {
      child.stdout!.resume();
      return { child, port };
    }
  }
  throw new Error('mtls-ingress did not start');
}

async function main(): Promise<void> {
  const root = await createAuthority({ cn: 'Bench root' });
  const intermediate = await createAuthority({ cn: 'Bench intermediate', parent: root });
  const server = await intermediate.issue({ cn: host, hosts: [host], usage: 'server' });
  const client = await intermediate.issue({ cn: 'bench', ou: 'ITOps' });
  const files = { 'root.pem': root.cert, 'server.pem': server.bundle, 'server-key.pem': server.key };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text, { mode: 0o600 });

  const [originPort, nginxPort] = [await freePort(), await freePort()];
  await startNginx(
    0,
    'origin',
    `server { listen 127.0.0.1:${originPort}; location / { default_type text/plain; return 200 "${'x'.repeat(100)}"; } }`,
  );
  // The directives that ingress-nginx's template writes for this host.
  const nginx = await startNginx(
    1,
    'proxy',
    `upstream origin { server 127.0.0.1:${originPort}; keepalive 320; keepalive_requests 1000000; }
server { listen 127.0.0.1:${nginxPort} ssl; server_name ${host}; ssl_certificate server.pem; ssl_certificate_key server-key.pem;
ssl_protocols TLSv1.2 TLSv1.3; ssl_client_certificate root.pem; ssl_verify_client on; ssl_verify_depth 1;
if ($ssl_client_s_dn !~ "OU=ITOps") { return 403; }
location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
proxy_set_header Host $host; proxy_set_header ssl-client-verify $ssl_client_verify;
proxy_set_header ssl-client-subject-dn $ssl_client_s_dn; proxy_set_header ssl-client-issuer-dn $ssl_client_i_dn;
proxy_set_header X-Request-ID $request_id; proxy_set_header X-Real-IP $remote_addr;
proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Host $host;
proxy_set_header X-Forwarded-Port ${nginxPort}; proxy_set_header X-Forwarded-Proto $scheme;
proxy_set_header X-Forwarded-Scheme $scheme; proxy_set_header X-Scheme $scheme; } }`,
  );
  const ours = await startOurs(originPort);
  await Promise.all([answering(originPort), answering(nginxPort)]);

  const target = { connections, host, cert: client.bundle, key: client.key, ca: root.cert };
  const proxies = await Promise.all(
    [
      { name: 'mtls-ingress, full lane', child: ours.child, port: ours.port },
      { name: 'nginx', child: nginx, port: nginxPort },
    ].map(async (proxy) => ({
      ...proxy,
      load: await Load.open({ ...target, port: proxy.port }),
      perRequest: [] as number[],
    })),
  );
  for (const { load } of proxies) await load.run(warmUpRequests);
  for (let round = 0; round < rounds; round++) {
    for (const { child, load, perRequest } of round % 2 === 0 ? proxies : proxies.toReversed()) {
      const before = cpuMicroseconds(child.pid!);
      await load.run(requests);
      perRequest.push((cpuMicroseconds(child.pid!) - before) / requests);
    }
  }
  for (const { load } of proxies) load.close();
  const [our, theirs] = proxies.map(({ perRequest }) => perRequest) as [number[], number[]];
  const where = pinned ? 'proxies on a core of their own' : 'nothing pinned to a core';
  console.log(
    `CPU of the proxy's processes per request, ${rounds} rounds of ${requests}, ${connections} connections, ${where}:`,
  );
  for (const { name, perRequest } of proxies) console.log(`  ${name}: ${summary(perRequest, 1)} µs`);
  const ratios = our.map((value, index) => value / theirs[index]!);
  console.log(`  ratio, round by round: ${summary(ratios, 2)}`);
}

/** The median and, in parentheses, the middle half of the values. */
function summary(values: readonly number[], digits: number): string {
  const [low, middle, high] = [0.25, 0.5, 0.75].map((share) => quantile(values, share).toFixed(digits));
  return `${middle} (${low} to ${high})`;
}

try {
  await main();
} finally {
  for (const child of children) child.kill('SIGTERM');
  await Promise.all(children.filter((child) => child.exitCode === null).map((child) => once(child, 'exit')));
  rmSync(dir, { recursive: true, force: true });
}
