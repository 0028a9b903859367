import { parseArgs } from 'node:util';
import type { CommandIo } from '../../command-io.ts';
import { createFileSource } from '../../config/file-source.ts';
import { printable, quote } from '../../config/text.ts';
import { snapshotOf } from '../../explain/snapshot.ts';
import type { Snapshot } from '../../snapshot/snapshot.ts';
import { AskFailed, askAdmin } from './ask-admin.ts';
import { csvOf } from './csv.ts';
import { readInventory } from './file.ts';
import { BadIdentityQuery, daysOf, readIdentityQuery } from './filter.ts';
import { type RotationCa, rotationOf } from './rotation.ts';
import type { Seen } from './seen.ts';
import { type IdentityState, stateOf } from './state.ts';

const where = `  --admin URL [--token-file FILE]   ask a running program at its admin listener
  --inventory FILE                  read the file that it keeps (inventory.file)
`;

const identitiesUsage = `mtls-ingress identities --admin URL | --inventory FILE [--filter NAME=VALUE] … [--csv | --json]

Says who the clients are: every identity that sent a request.

${where}  --filter NAME=VALUE               host, subject, issuer, ca, fingerprint, expiring=30d, idle=90d, denied[=REASON,…],
                                    limit=N
  --csv, --json                     for spreadsheets, for machines
`;

const rotationUsage = `mtls-ingress rotation --admin URL | --inventory FILE [--config FILE] [--days N] [--host HOST] [--json]

Says which clients still come through which CA, and whether a CA can be dropped.

${where}  --config FILE                     with --inventory: also the CAs that nobody came through
  --days N                          a client that stayed away for longer no longer counts (30)

Exit code: 0 when every CA is needed or safe to drop, 1 when of one it is unknown, 2 when it cannot be asked.
`;

const options = {
  admin: { type: 'string' },
  'token-file': { type: 'string' },
  inventory: { type: 'string' },
  config: { type: 'string' },
  filter: { type: 'string', multiple: true },
  days: { type: 'string' },
  host: { type: 'string' },
  csv: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const parse = (args: readonly string[]) => parseArgs({ args: [...args], options }).values;
type Values = ReturnType<typeof parse>;

/** The command `identities`. Resolves with the exit code. */
export function runIdentities(args: readonly string[], io: CommandIo): Promise<number> {
  return run('identities', identitiesUsage, args, io, async (values) => {
    const query = new URLSearchParams();
    for (const one of values.filter ?? []) {
      const equals = one.indexOf('=');
      query.append(equals === -1 ? one : one.slice(0, equals), equals === -1 ? '' : one.slice(equals + 1));
    }
    const now = Date.now();
    const { fits, limit } = readIdentityQuery(query, now);
    let identities: readonly IdentityState[];
    if (values.admin === undefined) {
      identities = (await seenIn(values.inventory!)).entries.filter(fits).slice(0, limit).map(stateOf);
    } else {
      const answer = await askAdmin(values.admin, `/identities?${query.toString()}`, values['token-file']);
      ({ identities } = JSON.parse(answer) as { identities: readonly IdentityState[] });
    }
    if (values.csv === true) io.stdout.write(csvOf(identities));
    else if (values.json === true) io.stdout.write(`${JSON.stringify({ identities }, null, 2)}\n`);
    else for (const one of identities) io.stdout.write(`${identityText(one).map(printable).join('\n')}\n`);
    return 0;
  });
}

/** The command `rotation`. Resolves with the exit code. */
export function runRotation(args: readonly string[], io: CommandIo): Promise<number> {
  return run('rotation', rotationUsage, args, io, async (values) => {
    const windowMs = daysOf('--days', values.days ?? '30');
    let cas: readonly RotationCa[];
    if (values.admin === undefined) {
      const seen = await seenIn(values.inventory!);
      const snapshot = values.config === undefined ? null : await snapshotIn(values.config);
      cas = rotationOf(seen, snapshot, { now: Date.now(), windowMs });
    } else {
      const path = `/rotation?days=${windowMs / 86_400_000}`;
      ({ cas } = JSON.parse(await askAdmin(values.admin, path, values['token-file'])) as {
        cas: RotationCa[];
      });
    }
    if (values.host !== undefined) cas = cas.filter(({ host }) => host === values.host!.toLowerCase());
    if (values.json === true) io.stdout.write(`${JSON.stringify({ cas }, null, 2)}\n`);
    else for (const line of rotationText(cas)) io.stdout.write(`${printable(line)}\n`);
    return cas.some(({ verdict }) => verdict === 'unknown') ? 1 : 0;
  });
}

async function run(
  name: string,
  usage: string,
  args: readonly string[],
  io: CommandIo,
  work: (values: Values) => Promise<number>,
): Promise<number> {
  const wrong = (message: string): number => {
    io.stderr.write(`mtls-ingress ${name}: ${printable(message)}\n\n${usage}`);
    return 2;
  };
  let values: Values;
  try {
    values = parse(args);
  } catch (error) {
    return wrong((error as Error).message);
  }
  if (values.help === true) {
    io.stdout.write(usage);
    return 0;
  }
  if ((values.admin === undefined) === (values.inventory === undefined))
    return wrong('give --admin URL or --inventory FILE');
  try {
    return await work(values);
  } catch (error) {
    if (error instanceof BadIdentityQuery) return wrong(error.message);
    if (!(error instanceof AskFailed)) throw error;
    io.stderr.write(`mtls-ingress ${name}: ${printable(error.message)}\n`);
    return 2;
  }
}

async function seenIn(path: string): Promise<Seen> {
  const read = await readInventory(path);
  if (read === null || 'fault' in read)
    throw new AskFailed(`${quote(path)} ${read === null ? 'is not there' : read.fault}`);
  return read;
}

async function snapshotIn(file: string): Promise<Snapshot> {
  const made = await snapshotOf(createFileSource(file));
  if ('problems' in made) throw new AskFailed(made.problems.join('\n'));
  return made.snapshot;
}

function identityText(one: IdentityState): string[] {
  const denials = Object.entries(one.denials).map(([reason, times]) => `${reason} ${times}`);
  const hosts = one.hosts.map(
    ({ host, anchor }) => `${host}${anchor === null ? '' : ` (through ${anchor.subject})`}`,
  );
  return [
    one.subject,
    `  issued by ${one.issuer}, until ${one.notAfter ?? 'an unknown date'}, ${one.keyAlgorithm}, ${one.signatureAlgorithm}`,
    `  seen ${one.firstSeen} to ${one.lastSeen}, ${one.requests} requests${denials.length === 0 ? '' : `, denied: ${denials.join(', ')}`}`,
    `  at ${hosts.join(', ')}${one.moreHosts ? ' and more' : ''}`,
    `  ${one.fingerprint}`,
  ];
}

const words = { safe: 'safe to drop', not_safe: 'NOT safe to drop', unknown: 'unknown' } as const;

/** For people, a line each. */
export function rotationText(cas: readonly RotationCa[]): string[] {
  const lines: string[] = [];
  let host: string | null = null;
  for (const ca of cas) {
    if (ca.host !== host) lines.push((host = ca.host));
    lines.push(`  ${ca.subject}: ${words[ca.verdict]}: ${ca.why}`);
    lines.push(
      `    ${ca.clients} clients, last seen ${ca.lastSeen ?? 'never'}${ca.notAfter === null ? '' : `; the CA expires ${ca.notAfter}`}`,
    );
    for (const subject of ca.who) lines.push(`    ${subject}`);
    if (ca.clients > ca.who.length && ca.who.length > 0)
      lines.push(`    and ${ca.clients - ca.who.length} more`);
  }
  return lines;
}
