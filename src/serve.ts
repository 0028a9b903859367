import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { App, ConfigurationError, ListenError, type Addresses } from './app.ts';
import { defaults } from './config/defaults.ts';
import type { CommandIo } from './command-io.ts';
import type { Source } from './config/source.ts';
import { selfTest } from './doctor/self-test.ts';
import { createObservability, type Observability } from './observe/observe.ts';
import { sourceFlags, sourceOf, sourceUsage } from './source-options.ts';
import { Supervisor } from './supervise/supervisor.ts';

const usage = `mtls-ingress serve --config FILE
mtls-ingress serve --manifests PATH [--allow-cross-namespace-secrets] [--resolve NS/SERVICE=HOST:PORT] …
mtls-ingress serve --kubernetes [--watch-namespace NAME] …

Terminates mutual TLS and forwards authorised requests, as FILE, the manifests or the cluster say.

  --config FILE   the configuration (YAML); reloaded when it or a file it names changes
${sourceUsage}  --no-watch      reload on SIGHUP only

Signals: SIGTERM and SIGINT drain and exit 0, a second one exits at once; SIGHUP reloads.
`;

/** The command `serve`. Resolves with the exit code when the program has drained, or could not start. */
export async function runServe(args: readonly string[], io: CommandIo): Promise<number> {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        ...sourceFlags,
        'no-watch': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }));
  } catch (error) {
    io.stderr.write(`mtls-ingress serve: ${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  if (values.help === true) {
    io.stdout.write(usage);
    return 0;
  }
  let made: Observability | null = null;
  const observability = (): Observability => (made ??= createObservability());
  const source = sourceOf(values, observability);
  if (typeof source === 'string') {
    io.stderr.write(`mtls-ingress serve: ${source}\n\n${usage}`);
    return 2;
  }
  const [app, faults] = await Promise.all([createApp(source, observability()), selfTest()]);
  for (const { severity, message, fix } of faults) {
    if (severity !== 'error') {
      observability().log.program('warn', message, { fix });
      continue;
    }
    io.stderr.write(`mtls-ingress: ${message}: ${fix}\n`);
    return 1;
  }
  try {
    return await serveUntilStopped(app, () => {
      if (values['no-watch'] !== true) app.watch();
    });
  } catch (error) {
    return sayWhyNot(error, io);
  }
}

/** What serves a configuration: one process, or a supervisor of several. */
export interface Servable extends Pick<App, 'start' | 'reload' | 'drain'> {
  /** Takes along whatever would outlive this process. */
  kill?(): void;
  /** Resolves when someone asked for a drain at the admin listener. */
  readonly drainAsked?: Promise<void>;
}

/** Reads how many worker processes there are to be. What is wrong with the configuration shows when it is started. */
async function createApp(source: Source, observability: Observability): Promise<App | Supervisor> {
  const loaded = await source.load();
  const wanted = (loaded.ok ? loaded.config.workers : undefined) ?? defaults.workers;
  const workers = wanted === 'auto' ? availableParallelism() : wanted;
  // The first load is not repeated.
  let first: typeof loaded | null = loaded;
  const primed: Source = {
    load: (changed) => {
      const taken = first;
      first = null;
      return taken === null ? source.load(changed) : Promise.resolve(taken);
    },
    watch: (onChange) => source.watch(onChange),
    status: () => source.status?.(),
    close: async () => source.close?.(),
  };
  return workers === 1 ? new App(primed, observability) : new Supervisor(primed, workers, observability);
}

/**
 * Starts the program and serves until a signal ends it; gives the exit code. A second signal exits at once.
 * Signals are listened for before anything says that the program is up: whoever waits for that may send one.
 *
 * @throws ConfigurationError, ListenError
 */
export async function serveUntilStopped(
  app: Servable,
  onStarted: (addresses: Addresses) => void,
): Promise<number> {
  let started = false;
  const onHangup = (): void => {
    if (started) void app.reload();
  };
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<number>()];
  let count = 0;
  const onEnd = (signal: NodeJS.Signals): void => {
    count++;
    if (count === 1) first.resolve();
    else second.resolve(signal === 'SIGINT' ? 130 : 143);
  };
  process.on('SIGHUP', onHangup);
  process.on('SIGTERM', onEnd);
  process.on('SIGINT', onEnd);
  try {
    const addresses = await app.start();
    started = true;
    onStarted(addresses);
    await Promise.race([first.promise, ...(app.drainAsked === undefined ? [] : [app.drainAsked])]);
    const code = await Promise.race([app.drain().then(() => 0), second.promise]);
    if (code !== 0) {
      app.kill?.();
      process.exit(code);
    }
    return code;
  } finally {
    process.off('SIGHUP', onHangup);
    process.off('SIGTERM', onEnd);
    process.off('SIGINT', onEnd);
  }
}

/** Prints what kept the program from starting; gives the exit code. */
export function sayWhyNot(error: unknown, io: CommandIo): number {
  if (error instanceof ConfigurationError)
    for (const problem of error.problems) io.stderr.write(`${problem}\n`);
  else if (error instanceof ListenError) io.stderr.write(`mtls-ingress: ${error.message}\n`);
  else throw error;
  return 1;
}
