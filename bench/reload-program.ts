import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { App } from '../src/app.ts';
import { createFileSource } from '../src/config/file-source.ts';
import { createObservability } from '../src/observe/observe.ts';

// The program of the reload bench, a process of its own: starts, reloads when told to, and says what that took.

/** What a start or a reload took. */
export interface Taken {
  readonly ms: number;
  /** The longest time in which nothing else ran, in milliseconds. */
  readonly stallMs: number;
  /** Resident memory after garbage was collected, in MiB. */
  readonly memory: number;
  /** Of the configuration in force. */
  readonly version: string;
}

const collect = (globalThis as { gc?: () => undefined }).gc;
const observability = createObservability({ destination: { write() {} } });
const app = new App(createFileSource(process.argv[2]!), observability);

async function measured(act: () => Promise<unknown>): Promise<Taken> {
  const stalls = monitorEventLoopDelay({ resolution: 1 });
  stalls.enable();
  await sleep(10);
  stalls.reset();
  const before = performance.now();
  await act();
  const ms = performance.now() - before;
  await sleep(5);
  stalls.disable();
  collect?.();
  collect?.();
  const memory = process.memoryUsage.rss() / 1024 ** 2;
  return { ms, stallMs: stalls.max / 1e6, memory, version: app.snapshot.version };
}

process.on('message', (order: 'start' | 'reload' | 'stop') => {
  if (order === 'stop') {
    void app.stop().then(() => process.disconnect?.());
    return;
  }
  void measured(() => (order === 'start' ? app.start() : app.reload())).then((taken) => {
    const { result, problems } = observability.lastReload() ?? { result: 'none', problems: [] };
    process.send!(result === 'success' ? taken : { fault: problems.slice(0, 3).join('\n') });
  });
});
