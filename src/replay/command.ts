import { createReadStream } from 'node:fs';
import { parseArgs } from 'node:util';
import type { CommandIo } from '../command-io.ts';
import { createFileSource } from '../config/file-source.ts';
import type { Config } from '../config/schema.ts';
import { printable, quote } from '../config/text.ts';
import { compile } from '../snapshot/compile.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { linesOf } from './lines.ts';
import { Replay } from './replay.ts';
import { reportText } from './text.ts';

const usage = `mtls-ingress replay --log FILE --config NEW [--old OLD] [--json]

Which of yesterday's requests would a new configuration answer differently? Reads the access log, asks NEW about each
request, and groups what changes. Compared is what the log says came of it; with --old, what OLD says now.

  --log FILE      the access log, JSON lines; "-" is standard input
  --config NEW    the configuration to ask
  --old OLD       the one to compare with
  --json          for machines

The log holds no headers and no CRLs: CORS preflights, requests refused by a CRL or OCSP, and what a trusted proxy told of
the client's address are not replayed. Passwords, external services and rates come behind the decision, and are not asked.

Exit code: 0 when nothing changes, 1 when something does, 2 when it cannot be told.
`;

/** The command `replay`. Resolves with the exit code. */
export async function runReplay(args: readonly string[], io: CommandIo): Promise<number> {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        log: { type: 'string' },
        config: { type: 'string' },
        old: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }));
  } catch (error) {
    return wrong(io, (error as Error).message);
  }
  if (values.help === true) {
    io.stdout.write(usage);
    return 0;
  }
  const { log, config, old } = values;
  if (log === undefined) return wrong(io, 'which log? Give --log FILE');
  if (config === undefined) return wrong(io, 'which configuration? Give --config NEW');
  const now = await snapshotOf(config, io);
  const then = old === undefined ? null : await snapshotOf(old, io);
  if (now === null || (old !== undefined && then === null)) return 2;
  const replay = new Replay(now, then);
  try {
    for await (const line of linesOf(log === '-' ? io.stdin : createReadStream(log))) replay.take(line);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    io.stderr.write(`mtls-ingress replay: ${quote(log)} cannot be read: ${printable(message)}\n`);
    return 2;
  }
  const report = replay.report();
  io.stdout.write(
    values.json === true ? `${JSON.stringify(report, null, 2)}\n` : `${reportText(report).join('\n')}\n`,
  );
  if (report.replayed === 0) return 2;
  return report.different === 0 ? 0 : 1;
}

/** Null, and its problems are told. CRLs are left out: what a log holds of a certificate cannot be held against them. */
async function snapshotOf(file: string, io: CommandIo): Promise<Snapshot | null> {
  const loaded = await createFileSource(file).load();
  if (!loaded.ok) {
    for (const problem of loaded.problems) io.stderr.write(`${problem}\n`);
    return null;
  }
  const compiled = compile(withoutRevocation(loaded.config), loaded.material);
  if (compiled.ok) return compiled.snapshot;
  for (const problem of compiled.problems) io.stderr.write(`${loaded.place(problem)}\n`);
  return null;
}

function withoutRevocation(config: Config): Config {
  return {
    ...config,
    hosts: config.hosts.map((host) => ({
      ...host,
      ...(host.clientAuth === undefined ? {} : { clientAuth: bare(host.clientAuth) }),
      routes: host.routes.map((route) =>
        route.clientAuth === undefined ? route : { ...route, clientAuth: bare(route.clientAuth) },
      ),
    })),
  };
}

function bare<Auth extends { crl?: unknown; revocation?: unknown }>({
  crl: _crl,
  revocation: _revocation,
  ...rest
}: Auth): Omit<Auth, 'crl' | 'revocation'> {
  return rest;
}

function wrong(io: CommandIo, message: string): number {
  io.stderr.write(`mtls-ingress replay: ${printable(message)}\n\n${usage}`);
  return 2;
}
