import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LaneUnderTest, startLane } from '../proxy/full/harness.ts';
import { smugglingCorpus } from '../proxy/express/smuggling-corpus.ts';
import { freePort } from '../support/free-port.ts';
import { needs } from '../support/program.ts';

// The corpus goes through both lanes to three real servers. A server may have seen only requests that the lane decided
// to forward, each of them once: one that it took for two, or read otherwise, would be one more.

interface RealServer {
  readonly port: number;
  /** `METHOD target` of each request it took, in the order in which it was done with them. */
  readonly seen: () => readonly string[];
}

const servers: Readonly<
  Record<string, { readonly start: (t: Test) => Promise<RealServer>; readonly skip: string | false }>
> = {
  'node:http': { start: startNode, skip: false },
  nginx: { start: startNginx, ...needs('nginx', '-v') },
  gunicorn: { start: startGunicorn, ...needs('/usr/bin/gunicorn') },
};

for (const [name, { start, skip }] of Object.entries(servers)) {
  for (const lane of ['express', 'full']) {
    await t.test(
      `no request becomes another: ${lane} lane before ${name}`,
      { skip, timeout: 300_000 },
      async (t) => {
        const server = await start(t);
        const under = await startLane(t, {
          origin: server.port,
          expressLane: lane === 'express',
          route: { bodyLimit: 4096, timeouts: { connectMs: 5000, sendMs: 5000, readMs: 300 } },
          limits: {
            headSize: 4096,
            headerCount: 20,
            headTimeoutMs: 300,
            bodyTimeoutMs: 300,
            keepAliveTimeoutMs: 300,
          },
        });
        for (let at = 0; at < smugglingCorpus.length; at += 24) {
          await Promise.all(smugglingCorpus.slice(at, at + 24).map((bytes) => send(under, bytes)));
        }
        const mark = `/done-${lane}`;
        const last = await under.exchange(
          `GET ${mark} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`,
        );
        t.match(last, /^HTTP\/1\.1 200 /, 'the upstream serves on');
        const decided = counted(
          under.events
            .filter(({ decision }) => decision.action === 'forward')
            .map(({ method, target }) => `${method} ${target}`),
        );
        const seen = counted(server.seen());
        t.ok((seen.get('POST /case') ?? 0) > 20, `${seen.get('POST /case')} of the corpus were forwarded`);
        const more = [...seen].filter(([request, times]) => times > (decided.get(request) ?? 0));
        t.same(more, [], 'nothing that was not decided on');
      },
    );
  }
}

/** Sends the bytes whole, and waits until the lane is done with them. */
async function send(under: LaneUnderTest, bytes: string): Promise<void> {
  const client = under.connect();
  await once(client.socket, 'connect');
  client.write(bytes);
  // Ends whatever is left open; a client that has gone is no error here.
  client.write(Buffer.alloc(6 * 1024));
  await client.closed;
}

function counted(requests: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const request of requests) counts.set(request, (counts.get(request) ?? 0) + 1);
  return counts;
}

async function startNode(t: Test): Promise<RealServer> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    request.resume().on('end', () => response.end('ok'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, seen: () => seen };
}

async function startNginx(t: Test): Promise<RealServer> {
  const dir = t.testdir({});
  const port = await freePort();
  const log = join(dir, 'access.log');
  writeFileSync(
    join(dir, 'nginx.conf'),
    `daemon off; master_process off; pid ${dir}/pid; error_log ${dir}/error.log error; events {}
http { log_format seen '$request_method $request_uri'; access_log ${log} seen; client_body_temp_path ${dir}/body;
proxy_temp_path ${dir}/p; fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
server { listen 127.0.0.1:${port}; location / { return 200 ok; } } }`,
  );
  await startProgram(t, port, ['nginx', '-p', dir, '-c', join(dir, 'nginx.conf')]);
  return { port, seen: () => lines(log) };
}

async function startGunicorn(t: Test): Promise<RealServer> {
  const dir = t.testdir({
    'app.py': `import threading
lock = threading.Lock()
def app(environ, start):
    with lock, open('seen.log', 'a') as log:
        log.write(environ['REQUEST_METHOD'] + ' ' + environ['RAW_URI'] + '\\n')
    environ['wsgi.input'].read()
    start('200 OK', [('Content-Length', '2')])
    return [b'ok']
`,
  });
  const port = await freePort();
  const options = ['--chdir', dir, '--bind', `127.0.0.1:${port}`, '--threads', '32', '--keep-alive', '30'];
  await startProgram(t, port, ['/usr/bin/gunicorn', ...options, '--log-level', 'critical', 'app:app']);
  return { port, seen: () => lines(join(dir, 'seen.log')) };
}

function lines(file: string): string[] {
  return readFileSync(file, 'latin1')
    .split('\n')
    .filter((line) => line !== '');
}

async function startProgram(
  t: Test,
  port: number,
  [command = '', ...args]: readonly string[],
): Promise<void> {
  const child = spawn(command, args, { stdio: 'ignore' });
  const exited = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  for (;;) {
    const socket = connect({ host: '127.0.0.1', port });
    const up = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (up) return;
    if (child.exitCode !== null) throw new Error(`${command} did not start`);
  }
}
