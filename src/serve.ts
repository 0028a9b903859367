import { parseArgs } from 'node:util';
import { App, ConfigurationError, ListenError, type Addresses } from './app.ts';
import { createFileSource } from './config/file-source.ts';
import type { CommandIo } from './command-io.ts';

const usage = `mtls-ingress serve --config FILE

Terminates mutual TLS and forwards authorised requests, as FILE says.

  --config FILE   the configuration (YAML); reloaded when it or a file it names changes
  --no-watch      reload on SIGHUP only

Signals: SIGTERM and SIGINT drain and exit 0, a second one exits at once; SIGHUP reloads.
`;

/** The command `serve`. Resolves with the exit code when the program has drained, or could not start. */
export async function runServe(args: readonly string[], io: CommandIo): Promise<number> {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        config: { type: 'string' },
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
  if (values.config === undefined) {
    io.stderr.write(`mtls-ingress serve: which configuration? Give --config FILE\n\n${usage}`);
    return 2;
  }
  const app = new App(createFileSource(values.config));
  try {
    return await serveUntilStopped(app, () => {
      if (values['no-watch'] !== true) app.watch();
    });
  } catch (error) {
    return sayWhyNot(error, io);
  }
}

/**
 * Starts the program and serves until a signal ends it; gives the exit code. A second signal exits at once.
 * Signals are listened for before anything says that the program is up: whoever waits for that may send one.
 *
 * @throws ConfigurationError, ListenError
 */
export async function serveUntilStopped(
  app: App,
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
    await first.promise;
    const code = await Promise.race([app.drain().then(() => 0), second.promise]);
    if (code !== 0) process.exit(code);
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
