import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import { cleanNode } from './program.ts';

const bin = join(import.meta.dirname, '..', '..', 'bin', 'mtls-ingress');

export type LogLine = Readonly<Record<string, unknown>>;

/** `mtls-ingress serve` as a process of its own. */
export class Program {
  readonly child: ChildProcess;
  readonly dir: string;
  readonly #lines: LogLine[] = [];
  #taken = 0;
  #wake: (() => void) | null = null;
  #ended = false;
  httpsPort = 0;
  httpPort = 0;
  adminPort = 0;

  constructor(child: ChildProcess, dir: string) {
    this.child = child;
    this.dir = dir;
    createInterface({ input: child.stdout! })
      .on('line', (line) => {
        this.#lines.push(JSON.parse(line) as LogLine);
        this.#wake?.();
      })
      .on('close', () => {
        this.#ended = true;
        this.#wake?.();
      });
  }

  /** The next line of the log, after those taken before, that fits. Rejects when the program ends without it. */
  async line(fits: (line: LogLine) => boolean): Promise<LogLine> {
    for (;;) {
      while (this.#taken < this.#lines.length) {
        const line = this.#lines[this.#taken++]!;
        if (fits(line)) return line;
      }
      if (this.#ended) throw new Error('the program ended');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** All lines so far with this message, taken or not. */
  logged(message: string): readonly LogLine[] {
    return this.#lines.filter((line) => line['message'] === message);
  }

  /** Resident memory in bytes. */
  async residentBytes(): Promise<number> {
    const page = await (await fetch(`http://127.0.0.1:${this.adminPort}/metrics`)).text();
    return Number(/^process_resident_memory_bytes (\S+)$/m.exec(page)?.[1]);
  }
}

/**
 * Starts the program with a configuration and files beside it; resolves when it listens, and ends it with the
 * test. Listeners are on 127.0.0.1 and ports that the system picks.
 */
export async function serve(
  t: Test,
  config: string,
  files: Readonly<Record<string, string>>,
  nodeFlags: readonly string[] = [],
  where: string = listeners,
): Promise<Program> {
  const dir = t.testdir({});
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text, { mode: 0o600 });
  const file = join(dir, 'config.yaml');
  writeFileSync(file, `${where}${asTheEnvironmentSays(config)}`);
  return serveWith(t, ['--config', file], dir, nodeFlags);
}

/** `mtls-ingress serve` with these arguments, otherwise as above. */
export async function serveWith(
  t: Test,
  args: readonly string[],
  dir: string = t.testdir({}),
  nodeFlags: readonly string[] = [],
): Promise<Program> {
  const child = spawn(...cleanNode(...nodeFlags, bin, 'serve', ...args), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  });
  const program = new Program(child, dir);
  const portOf = async (listener: string): Promise<number> =>
    (await program.line((line) => line['listener'] === listener && line['message'] === 'listening'))[
      'port'
    ] as number;
  program.httpsPort = await portOf('https');
  program.httpPort = await portOf('http');
  program.adminPort = await portOf('admin');
  return program;
}

/** With MTLS_TEST_WORKERS the same tests run against so many worker processes, with MTLS_TEST_LANE=full without the express lane. */
function asTheEnvironmentSays(config: string): string {
  const { MTLS_TEST_WORKERS: workers, MTLS_TEST_LANE: lane } = process.env;
  const lines: string[] = [];
  if (workers !== undefined && !/^workers:/m.test(config)) lines.push(`workers: ${workers}`);
  if (lane === 'full' && !/^expressLane:/m.test(config)) lines.push('expressLane: false');
  return [...lines, config].join('\n');
}

/** What a configuration given to `serve` begins with. */
export const listeners = `listeners:
  https: { address: 127.0.0.1, port: 0 }
  http: { address: 127.0.0.1, port: 0 }
  admin: { address: 127.0.0.1, port: 0 }
`;
