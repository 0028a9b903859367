import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import { App, type Addresses } from '../../src/app.ts';
import type { Config } from '../../src/config/schema.ts';
import type { Loaded, Source, Unloadable } from '../../src/config/source.ts';
import { createObservability } from '../../src/observe/observe.ts';
import { Supervisor } from '../../src/supervise/supervisor.ts';

/** What a test may ask of `t`. */
interface Teardown {
  teardown(handler: () => unknown): void;
}

/** A source in memory, which a test changes by hand. */
export class MemorySource implements Source {
  #result: Loaded | Unloadable;

  constructor(config: Config, material: Readonly<Record<string, string>>) {
    this.#result = loaded(config, material);
  }

  load(): Promise<Loaded | Unloadable> {
    return Promise.resolve(this.#result);
  }

  watch(): { close(): void } {
    return { close() {} };
  }

  set(config: Config, material: Readonly<Record<string, string>>): void {
    this.#result = loaded(config, material);
  }

  fail(...problems: string[]): void {
    this.#result = { ok: false, problems };
  }
}

function loaded(config: Config, material: Readonly<Record<string, string>>): Loaded {
  return {
    ok: true,
    config,
    material: new Map(Object.entries(material)),
    warnings: [],
    place: ({ path, message }) => `memory:1:1 ${path} ${message}`,
  };
}

export interface Proxy {
  readonly app: Pick<App, 'reload' | 'snapshot'>;
  readonly source: MemorySource;
  readonly addresses: Addresses;
  readonly port: number;
  /** Lines of the log so far, parsed. */
  readonly log: readonly Record<string, unknown>[];
  metrics(): Promise<string>;
  /** Resolves when the log has all that has happened, as it has at once in one process. */
  settled(): Promise<void>;
}

/** Hosts and upstreams; listeners are filled in. */
export type PartialConfig = Omit<Config, 'listeners'> & { readonly listeners?: Partial<Config['listeners']> };

export function completeConfig(config: PartialConfig): Config {
  return {
    ...(process.env['MTLS_TEST_LANE'] === 'full' ? { expressLane: false } : {}),
    ...config,
    listeners: {
      https: { address: '127.0.0.1', port: 0 },
      admin: { address: '127.0.0.1', port: 0 },
      ...config.listeners,
    },
  };
}

/**
 * The whole program on ports that the system picks, stopped at the end of the test. With MTLS_TEST_WORKERS it has so
 * many worker processes, which get what the source gives as it is: from their supervisor.
 */
export async function startProxy(
  t: Teardown,
  config: PartialConfig,
  material: Readonly<Record<string, string>>,
): Promise<Proxy> {
  const log: Record<string, unknown>[] = [];
  const source = new MemorySource(completeConfig(config), material);
  const write = (line: string): void => void log.push(JSON.parse(line) as Record<string, unknown>);
  const observability = createObservability({ destination: { write } });
  const workers = Number(process.env['MTLS_TEST_WORKERS'] ?? 1);
  const app =
    workers === 1
      ? new App(source, observability)
      : new Supervisor(source, workers, observability, { output: linesTo(write) });
  const addresses = await app.start();
  t.teardown(() => app.stop());
  const metrics = async (): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${addresses.admin.port}/metrics`);
    return response.text();
  };
  return {
    app,
    source,
    addresses,
    port: addresses.https.port,
    log,
    metrics,
    async settled() {
      if (workers === 1) return;
      // Every worker answers: by the second time it has been through a turn of its event loop, and so has written.
      for (let times = 0; times < 2; times++) await metrics();
      for (let turns = 0; turns < 2; turns++) await new Promise(setImmediate);
    },
  };
}

/** Takes what workers write, whole lines that are read in pieces, and passes the lines on. */
export function linesTo(write: (line: string) => void): (chunk: Buffer, worker: number) => void {
  const decoders = new Map<number, StringDecoder>();
  const rests = new Map<number, string>();
  return (chunk, worker) => {
    const decoder = decoders.get(worker) ?? new StringDecoder();
    decoders.set(worker, decoder);
    const lines = `${rests.get(worker) ?? ''}${decoder.write(chunk)}`.split('\n');
    rests.set(worker, lines.pop()!);
    for (const line of lines) write(line);
  };
}

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  /** Name, value, … as they came. */
  readonly rawHeaders: readonly string[];
}

export interface Backend {
  readonly server: Server;
  readonly endpoint: string;
  /** Requests as they came, oldest first. */
  readonly seen: SeenRequest[];
}

/** A backend that keeps what it saw and, unless told otherwise, answers 200 `ok`. */
export async function startBackend(
  t: Teardown,
  answer: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => response.end('ok'),
): Promise<Backend> {
  const seen: SeenRequest[] = [];
  const server = createServer((request, response) => {
    seen.push({
      method: request.method ?? '',
      url: request.url ?? '',
      headers: request.headers,
      rawHeaders: request.rawHeaders,
    });
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  });
  return { server, endpoint: `127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}
