import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import type { CommandIo } from '../command-io.ts';
import { printable, quote } from '../config/text.ts';
import { PkiError } from '../pki/error.ts';
import { sourceFlags, sourceOf, sourceUsage } from '../source-options.ts';
import { ask } from './ask.ts';
import { readClientChain } from './client-chain.ts';
import { BadQuestion, type Question, serverNameFor } from './question.ts';
import { snapshotOf } from './snapshot.ts';
import { reportText } from './text.ts';
import { parseTime } from './time.ts';

const usage = `mtls-ingress explain --config FILE --host HOST --path PATH [--cert FILE]
mtls-ingress explain --manifests PATH … --host HOST --path PATH [--cert FILE]

Says what becomes of a request and why: the handshake, the host and route and what came near, the certificate's chain
and CRLs, each rule of the policies with what it saw, and what the backend would get. Nothing is connected to.

  --config FILE   the configuration
${sourceUsage}
  --host HOST                  the Host of the request, perhaps with a port
  --path PATH                  its path, with the query if there is one (/)
  --method METHOD              (GET)
  --header 'NAME: VALUE'       once for each
  --cert FILE                  what the client sends: PEM with its own certificate first, DER or PKCS#12; "-" is
                               standard input. No key is needed
    --passphrase-file FILE, --passphrase-env NAME   of a PKCS#12 file; without: asked for on the terminal
  --sni NAME, --no-sni         the server name of the handshake (the host, none for an address)
  --client-address ADDRESS     (127.0.0.1)
  --plain-http                 over the plain listener
  --time TIME                  when, such as 2026-11-24T12:00:00Z; chains are OpenSSL's to judge, who knows only of
                               now, so for another time their dates are judged here (now)
  --json                       for machines

Exit code: 0 when it is forwarded or the route answers it, 1 when it is refused, 2 when it cannot be asked.
`;

const options = {
  ...sourceFlags,
  host: { type: 'string' },
  path: { type: 'string' },
  method: { type: 'string' },
  header: { type: 'string', multiple: true },
  cert: { type: 'string' },
  'passphrase-file': { type: 'string' },
  'passphrase-env': { type: 'string' },
  sni: { type: 'string' },
  'no-sni': { type: 'boolean' },
  'client-address': { type: 'string' },
  'plain-http': { type: 'boolean' },
  time: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

type Values = ReturnType<typeof parse>;

const parse = (args: readonly string[]) => parseArgs({ args: [...args], options }).values;

/** The command `explain`. Resolves with the exit code. */
export async function runExplain(args: readonly string[], io: CommandIo): Promise<number> {
  let values: Values;
  try {
    values = parse(args);
  } catch (error) {
    return wrong(io, (error as Error).message);
  }
  if (values.help === true) {
    io.stdout.write(usage);
    return 0;
  }
  const source = sourceOf(values);
  if (typeof source === 'string') return wrong(io, source);
  try {
    const question = await questionOf(values, io);
    const made = await snapshotOf(source);
    await source.close?.();
    if ('problems' in made) {
      for (const problem of made.problems) io.stderr.write(`${problem}\n`);
      return 2;
    }
    const { report } = await ask(made.snapshot, question);
    const text = values.json === true ? JSON.stringify(report, null, 2) : reportText(report).join('\n');
    io.stdout.write(`${text}\n`);
    return isRefused(report.decision) ? 1 : 0;
  } catch (error) {
    if (error instanceof BadQuestion) return wrong(io, error.message);
    if (!(error instanceof PkiError)) throw error;
    io.stderr.write(`mtls-ingress explain: ${printable(error.message)}\n`);
    return 2;
  }
}

function wrong(io: CommandIo, message: string): number {
  io.stderr.write(`mtls-ingress explain: ${printable(message)}\n\n${usage}`);
  return 2;
}

/** An answer that a route was made to give is no refusal. */
function isRefused(decision: { readonly action: string; readonly status?: number }): boolean {
  return decision.action === 'end_handshake' || (decision.status ?? 200) >= 400;
}

async function questionOf(values: Values, io: CommandIo): Promise<Question> {
  const { host, cert } = values;
  if (host === undefined) throw new BadQuestion('which host? Give --host HOST');
  if (values.sni !== undefined && values['no-sni'] === true)
    throw new BadQuestion('--sni or --no-sni, not both');
  const address = values['client-address'] ?? '127.0.0.1';
  if (isIP(address) === 0) throw new BadQuestion(`--client-address ${quote(address)} is no IP address`);
  const target = values.path ?? '/';
  if (!target.startsWith('/')) throw new BadQuestion('--path begins with a slash');
  const file = values['passphrase-file'];
  const env = values['passphrase-env'];
  const passphrase = { ...(file === undefined ? {} : { file }), ...(env === undefined ? {} : { env }) };
  return {
    host,
    target,
    method: values.method ?? 'GET',
    headers: (values.header ?? []).flatMap(headerOf),
    certificate: cert === undefined ? null : { chain: await readClientChain(cert, passphrase, io) },
    serverName: values['no-sni'] === true ? null : (values.sni ?? serverNameFor(host)),
    address,
    plainHttp: values['plain-http'] ?? false,
    time: values.time === undefined ? null : timeOf(values.time),
  };
}

function headerOf(text: string): [string, string] {
  const colon = text.indexOf(':');
  const name = text.slice(0, Math.max(0, colon)).trim();
  if (name === '') throw new BadQuestion(`--header ${quote(text)} is not NAME: VALUE`);
  if (name.toLowerCase() === 'host') throw new BadQuestion('the Host is given with --host');
  // As node's parser has them: one character per byte.
  return [name, Buffer.from(text.slice(colon + 1).trim()).toString('latin1')];
}

function timeOf(text: string): number {
  const time = parseTime(text);
  if (time === null) throw new BadQuestion(`--time ${quote(text)} is no time such as 2026-11-24T12:00:00Z`);
  return time;
}
