import { answers } from '../../snapshot/reason.ts';
import type { Verdict } from '../../tls/verdict.ts';
import { readCertificate } from '../certificate-reader.ts';
import { chainTree } from '../chain-tree.ts';
import { eachCrl } from '../crl-file.ts';
import { readCrl } from '../crl-reader.ts';
import { describeCertificate, nameText } from '../describe.ts';
import { PkiError } from '../error.ts';
import { readBytes } from '../files.ts';
import { judgeChain } from '../judge.ts';
import { readCertificates, readPem, toPem } from '../pem.ts';
import { printable } from '../printable.ts';
import type { ProxyAnswer } from '../ask-proxy.ts';
import { type Context, flag, list, type Subcommand, text, type Values } from './subcommand.ts';

/** A CRL as PEM, whatever it was: what OpenSSL takes. */
async function crlPem(path: string): Promise<string> {
  const bytes = await readBytes(path);
  if (bytes[0] === 0x30) return toPem('X509 CRL', bytes);
  const blocks = readPem(bytes.toString('latin1')).filter(({ label }) => label === 'X509 CRL');
  if (blocks.length === 0) throw new PkiError(`${path}: there is no CRL in it`);
  return blocks.map((block) => block.text).join('');
}

/** What may help whoever reads `untrusted`: whose certificate nobody has. */
function untrustedHints(chain: readonly Buffer[], trusted: readonly Buffer[]): string[] {
  const { missing } = chainTree([...chain, ...trusted]);
  const own = new Set(chain.map((der) => nameText(readCertificate(der).subject)));
  return missing
    .filter(({ issued }) => issued.some((subject) => own.has(subject)))
    .map(
      ({ issuer, issued }) =>
        `${issuer}, who issued ${issued[0]}, is neither in the file nor in the CA bundle`,
    );
}

/** OpenSSL wants a current CRL of every CA in the chain, the root included. */
async function crlHints(
  files: readonly string[],
  chain: readonly Buffer[],
  trusted: readonly Buffer[],
): Promise<string[]> {
  const issuers = new Set<string>();
  for (const file of files) {
    for (const facts of await eachCrl(file, async (der) => await readCrl(der)))
      issuers.add(facts.issuer.toString('hex'));
  }
  const { parents } = chainTree([...chain, ...trusted]);
  const all = [...chain, ...trusted];
  const hints: string[] = [];
  const seen = new Set<number>();
  for (let index: number | null = 0; index !== null && !seen.has(index); index = parents[index] ?? null) {
    seen.add(index);
    const { issuer } = readCertificate(all[index]!);
    if (!issuers.has(Buffer.from(issuer).toString('hex')))
      hints.push(`there is no CRL of ${nameText(issuer)}`);
  }
  return [...new Set(hints)];
}

interface Outcome {
  readonly verdict: Verdict;
  readonly hints: readonly string[];
}

/** OpenSSL's own bound for the intermediates of a chain. */
const anyDepth = 100;

async function judge(chain: readonly Buffer[], values: Values): Promise<Outcome> {
  const bundles = list(values, 'ca');
  const trusted: Buffer[] = [];
  for (const path of bundles) trusted.push(...readCertificates(await readBytes(path), path));
  const crls = list(values, 'crl');
  const crl = (await Promise.all(crls.map(crlPem))).join('');
  const ca = trusted.map((der) => toPem('CERTIFICATE', der)).join('');
  const verdict = await judgeChain(chain, { ca, crl: crls.length === 0 ? null : crl, verifyDepth: anyDepth });
  const reason = verdict.status === 'failed' ? verdict.reason : null;
  if (reason === 'untrusted' || reason === 'self_signed') {
    return { verdict, hints: untrustedHints(chain, trusted) };
  }
  return { verdict, hints: reason === 'crl_missing' ? await crlHints(crls, chain, trusted) : [] };
}

function sayOutcome(outcome: Outcome, context: Context): void {
  const { verdict, hints } = outcome;
  if (verdict.status !== 'failed') {
    context.say('verdict: success');
    return;
  }
  const answer = answers[verdict.reason];
  context.say(`verdict: failed, ${verdict.reason}: ${verdict.detail}`);
  context.say(`  where a certificate is required the proxy answers ${answer.status} "${answer.message}"`);
  for (const hint of hints) context.say(`  ${hint}`);
}

async function ask(chain: readonly Buffer[], values: Values): Promise<ProxyAnswer | null> {
  const config = text(values, 'config');
  if (config === undefined) return null;
  const host = text(values, 'host');
  if (host === undefined) throw new PkiError('--config needs --host HOST, the host the request is for');
  // Only this one command needs the proxy's own parts.
  const { askProxy } = await import('../ask-proxy.ts');
  const path = text(values, 'path') ?? '/';
  return await askProxy({ config, host, path, method: text(values, 'method') ?? 'GET', chain });
}

function sayAnswer(answer: ProxyAnswer, values: Values, context: Context): void {
  const { verdict } = answer;
  const request = `${text(values, 'method') ?? 'GET'} https://${text(values, 'host')}${text(values, 'path') ?? '/'}`;
  if (verdict.status === 'failed') context.say(`verdict: failed, ${verdict.reason}: ${verdict.detail}`);
  else
    context.say(
      verdict.status === 'success' ? 'verdict: success' : 'verdict: none, the host asks for no certificate',
    );
  const detail = answer.detail === null ? '' : `: ${answer.detail}`;
  if (answer.forwarded) context.say(`${printable(request)} is forwarded${detail}`);
  else if (answer.status === null) {
    context.say(`${printable(request)} is never asked, the handshake is ended: ${answer.reason}${detail}`);
  } else
    context.say(
      `${printable(request)} is answered with ${answer.status} "${answer.message}", ${answer.reason}${detail}`,
    );
}

/** `pki verify`: what the proxy would say. */
export const verify: Subcommand = {
  usage: 'CERT.pem --ca BUNDLE.pem [--crl FILE] | CERT.pem --config FILE --host HOST [--path PATH]',
  summary: 'say what the proxy would say to a client certificate, and why',
  help: `Goes through the handshake's own verification, in memory, with the certificates of CERT.pem as the client would send
them. No key is needed. Exit code 0: the client would be let in; 1: it would not.

  --ca FILE                       what is trusted; may come more than once
  --crl FILE                      as the proxy has it: then one of every CA in the chain is needed, the root's too
  --config FILE                   ask a configuration of the proxy instead: its trust store, its policies
  --host HOST  --path PATH  --method METHOD
                                  the request to ask about; default: GET /
  --json                          for machines`,
  options: {
    ca: { type: 'string', multiple: true },
    crl: { type: 'string', multiple: true },
    config: { type: 'string', short: 'c' },
    host: { type: 'string' },
    path: { type: 'string' },
    method: { type: 'string' },
    json: { type: 'boolean' },
  },
  positionals: { min: 1, max: 1 },
  async run([file = ''], values, context) {
    const chain = readCertificates(await readBytes(file, context.io.stdin), file);
    const leaf = describeCertificate(chain[0]!, context.now);
    const trustGiven = list(values, 'ca').length > 0;
    if (!trustGiven && text(values, 'config') === undefined) {
      throw new PkiError('--ca BUNDLE.pem is missing (or --config FILE): verified against what?');
    }
    const outcome = trustGiven ? await judge(chain, values) : null;
    const answer = await ask(chain, values);
    const accepted =
      leaf.refused === null &&
      (outcome === null || outcome.verdict.status === 'success') &&
      (answer === null || answer.forwarded);
    if (flag(values, 'json')) {
      context.say(JSON.stringify({ accepted, certificate: leaf, outcome, answer }, null, 2));
      return accepted ? 0 : 1;
    }
    context.say(leaf.subject === '' ? '(empty subject)' : leaf.subject);
    if (leaf.refused !== null) context.say(`verdict: failed, malformed_cert: ${leaf.refused}`);
    if (outcome !== null) sayOutcome(outcome, context);
    if (answer !== null) sayAnswer(answer, values, context);
    return accepted ? 0 : 1;
  },
};
