import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { Agent as TlsAgent, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { setTimeout as wait } from 'node:timers/promises';
import type { Test } from 'tap';
import { App } from '../../src/app.ts';
import type { Times } from '../../src/ingress/kubernetes/collection.ts';
import { type CredentialOptions, Credentials } from '../../src/ingress/kubernetes/credentials.ts';
import type { KubernetesSource } from '../../src/ingress/kubernetes/kubernetes-source.ts';
import {
  assembleSource,
  type ClusterFlags,
  type ClusterParts,
} from '../../src/ingress/kubernetes/serve-options.ts';
import { createObservability } from '../../src/observe/observe.ts';
import type { ClientCertificate } from './client.ts';

export interface Controller {
  readonly app: App;
  readonly source: KubernetesSource;
  readonly port: number;
  readonly admin: number;
  /** Lines of the log so far, parsed. */
  readonly log: readonly Readonly<Record<string, unknown>>[];
  /** Lines with this message. */
  logged(message: string): readonly Readonly<Record<string, unknown>>[];
}

/** Quicker than the real ones, so that a test need not wait for minutes. */
export const quickTimes: Times = { watchMs: 60_000, silenceMs: 3000, longestWaitMs: 1000 };

/** The program over a cluster, in this process; stopped with the test. */
export async function startController(
  t: Test,
  credentials: string | CredentialOptions,
  flags: ClusterFlags = {},
  times: Partial<Times> = quickTimes,
  webhookTimes: ClusterParts['webhookTimes'] = {},
): Promise<Controller> {
  const log: Record<string, unknown>[] = [];
  const observability = createObservability({
    destination: { write: (line: string) => void log.push(JSON.parse(line) as Record<string, unknown>) },
  });
  const source = assembleSource(
    {
      address: '127.0.0.1',
      'https-port': '0',
      'http-port': '0',
      'admin-port': '0',
      ...flags,
    },
    {
      observability,
      times,
      webhookTimes,
      credentials: new Credentials({
        keepMs: 500,
        ...(typeof credentials === 'string' ? { kubeconfig: credentials } : credentials),
      }),
    },
  );
  if (typeof source === 'string') throw new Error(source);
  const app = new App(source, observability);
  t.teardown(() => app.stop());
  const { https, admin } = await app.start();
  app.watch();
  return {
    app,
    source,
    port: https.port,
    admin: admin.port,
    log,
    logged: (message) => log.filter((line) => line['message'] === message),
  };
}

/** A backend on an address, which answers with its name. */
export async function startNamed(t: Test, name: string, address: string, port = 0): Promise<number> {
  const server = createServer((_, response) => response.end(name)).listen(port, address);
  await once(server, 'listening');
  t.teardown(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return (server.address() as AddressInfo).port;
}

/** Waits until something holds, looking again and again. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = 15_000,
): Promise<void> {
  for (const end = Date.now() + withinMs; ;) {
    if (await holds()) return;
    if (Date.now() > end) throw new Error(`it did not come to be within ${withinMs} ms: ${what}`);
    await wait(10);
  }
}

export interface Got {
  readonly status: number;
  readonly body: string;
  /** Subject CN of the server's certificate. */
  readonly server: string;
}

/** One request over a new connection, or over an agent's. */
export async function get(
  port: number,
  host: string,
  {
    certificate,
    agent,
    path = '/',
  }: { readonly certificate?: ClientCertificate; readonly agent?: TlsAgent; readonly path?: string } = {},
): Promise<Got> {
  const request = httpsRequest({
    host: '127.0.0.1',
    port,
    path,
    servername: host,
    headers: { host },
    rejectUnauthorized: false,
    agent: agent ?? false,
    ...(certificate === undefined ? {} : { cert: certificate.bundle, key: certificate.key }),
  });
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const socket = response.socket as TLSSocket;
  const cn = socket.getPeerCertificate()?.subject?.CN;
  let body = '';
  response.setEncoding('utf8');
  for await (const chunk of response) body += String(chunk);
  return { status: response.statusCode ?? 0, body, server: typeof cn === 'string' ? cn : '' };
}

/** Requests one after the other on several kept connections, until it is stopped. */
export class Load {
  readonly #agent = new TlsAgent({ keepAlive: true, maxSockets: 4, rejectUnauthorized: false });
  readonly #lost: string[] = [];
  readonly #workers: Promise<void>[];
  #isOn = true;
  #count = 0;

  constructor(port: number, host: string, isRight: (got: Got) => boolean = ({ status }) => status === 200) {
    this.#workers = Array.from({ length: 4 }, async () => {
      while (this.#isOn) {
        this.#count++;
        try {
          const got = await get(port, host, { agent: this.#agent });
          if (!isRight(got)) this.#lost.push(`${got.status} ${got.body.slice(0, 200)}`);
        } catch (error) {
          this.#lost.push(String(error));
        }
        // The machine has other things to do.
        await wait(2);
      }
    });
  }

  get count(): number {
    return this.#count;
  }

  /** Requests that were not answered as they should. */
  async stop(): Promise<readonly string[]> {
    this.#isOn = false;
    await Promise.all(this.#workers);
    this.#agent.destroy();
    return this.#lost;
  }
}
