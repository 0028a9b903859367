import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import { freePort } from '../support/free-port.ts';
import { startBackend, startProxy } from '../support/proxy.ts';
import { ourConfig, writeNginxConfig, type Files, type HostSpec } from './hosts.ts';

export interface Sides {
  /** nginx where an unknown name finds the template's catch-all server. */
  readonly nginx: number;
  /** nginx where an unknown name finds the first host. */
  readonly nginxFirst: number;
  readonly ours: number;
  /** Requests that the backend got to the end of. */
  served(): number;
}

/** What the backend saw of one request; it tells it in its answer. */
export interface Upstream {
  readonly request: string;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

/** nginx and our whole program, for the same hosts, before the same backend. */
export async function startSides(t: Test, hosts: readonly HostSpec[], files: Files): Promise<Sides> {
  const { endpoint, served } = await startEchoBackend(t);
  const [nginx, nginxFirst] = (await startNginx(t, 2, (dir, [port = 0, first = 0]) =>
    writeNginxConfig(dir, hosts, files, endpoint, [
      { port, defaultHost: null },
      { port: first, defaultHost: hosts[0]!.name },
    ]),
  )) as [number, number];
  const proxy = await startProxy(t, ourConfig(hosts, endpoint), files);
  return { nginx, nginxFirst, ours: proxy.port, served };
}

/** A backend that answers with what it was asked. `decorate` may add to the head of its answer. */
export async function startEchoBackend(
  t: Test,
  decorate: (request: IncomingMessage, response: ServerResponse) => void = () => {},
): Promise<{ readonly endpoint: string; readonly served: () => number }> {
  let served = 0;
  const backend = await startBackend(t, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      served++;
      const body = Buffer.concat(chunks).toString('latin1');
      const upstream: Upstream = {
        request: `${request.method} ${request.url} HTTP/${request.httpVersion}`,
        rawHeaders: request.rawHeaders,
        body: body.length > 100 ? `${body.length} bytes` : body,
      };
      const text = JSON.stringify(upstream);
      response.setHeader('x-upstream', request.method === 'HEAD' ? Buffer.from(text).toString('base64') : '');
      decorate(request, response);
      response.end(text);
    });
  });
  return { endpoint: backend.endpoint, served: () => served };
}

/**
 * Starts nginx on as many ports. It cannot pick them itself, so where another program was quicker it is started again.
 *
 * @param write Writes what it needs into a folder; gives its configuration file.
 */
export async function startNginx(
  t: Test,
  count: number,
  write: (dir: string, ports: readonly number[]) => string,
): Promise<number[]> {
  const dir = t.testdir({});
  for (let tries = 3; ; tries--) {
    const ports: number[] = [];
    while (ports.length < count) ports.push(await freePort());
    const file = write(dir, ports);
    const child = spawn('nginx', ['-p', dir, '-e', 'stderr', '-c', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const spawned = once(child, 'spawn');
    const exited = once(child, 'exit').catch(() => {});
    await spawned;
    const said: string[] = [];
    // It names its operating system when it has bound its ports.
    const listens = await new Promise<boolean>((resolve) => {
      createInterface({ input: child.stderr })
        .on('line', (line) => {
          if (said.length < 100) said.push(line);
          if (line.includes('] ') && line.includes(': OS: ')) resolve(true);
        })
        .on('close', () => resolve(false));
    });
    if (listens) {
      t.teardown(async () => {
        child.kill('SIGKILL');
        await exited;
      });
      return ports;
    }
    await exited;
    if (tries === 1 || !said.join('\n').includes('Address already in use')) {
      throw new Error(`nginx does not start:\n${said.join('\n')}`);
    }
  }
}
