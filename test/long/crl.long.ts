import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, statSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import t from 'tap';
import { writeFiles, createAuthority } from '../support/pki.ts';
import { cleanNode, needs } from '../support/program.ts';

const main = join(import.meta.dirname, '../../src/main.ts');
const entries = 100_000;

/** Runs `pki …` in a process of its own with a small heap; gives its output, seconds, and peak memory in MiB. */
async function measured(args: readonly string[]) {
  const script = `
    import { runPki } from ${JSON.stringify(join(main, '../pki/command.ts'))};
    process.exitCode = await runPki(${JSON.stringify(args)}, process);
    console.error(JSON.stringify({ peak: process.resourceUsage().maxRSS / 1024 }));`;
  const [command, argv] = cleanNode('--max-old-space-size=48', '--input-type=module', '-e', script);
  const child = spawn(command, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += String(chunk)));
  child.stderr.on('data', (chunk: Buffer) => (stderr += String(chunk)));
  const started = performance.now();
  const [code] = (await once(child, 'close')) as [number];
  const seconds = (performance.now() - started) / 1000;
  const peak = /\{"peak":([\d.]+)\}/.exec(stderr)?.[1];
  return { code, stdout, stderr, seconds, peak: Number(peak) };
}

void t.test(
  'a CRL of 100,000 entries is written from the database and read again in bounded memory',
  needs('openssl', 'version'),
  async (t) => {
    const dir = t.testdir();
    const ca = await createAuthority({ cn: 'CA' });
    const files = writeFiles(dir, { 'ca.pem': ca.cert, 'ca-key.pem': ca.key });
    const database = createWriteStream(join(dir, 'ca-db.jsonl'));
    for (let index = 0; index < entries; index++) {
      const serial = `01${randomBytes(15).toString('hex').toUpperCase()}`;
      const at = new Date(Date.UTC(2026, 0, 1) + index * 1000).toISOString();
      const record = { event: 'revoked', at, serial, reason: 'keyCompromise', subject: `CN=client ${index}` };
      if (!database.write(`${JSON.stringify(record)}\n`)) await once(database, 'drain');
    }
    database.end();
    await finished(database);

    const few = await measured([
      'crl',
      '--ca',
      files['ca.pem'],
      '--db',
      join(dir, 'none.jsonl'),
      '--out',
      join(dir, 'few.pem'),
    ]);
    t.equal(few.code, 0, few.stderr);
    const written = await measured(['crl', '--ca', files['ca.pem']]);
    t.equal(written.code, 0, written.stderr);
    t.match(written.stdout, /number 1, 100000 revoked/);
    const crl = join(dir, 'ca-crl.pem');
    const text = execFileSync(
      'openssl',
      ['crl', '-in', crl, '-CAfile', files['ca.pem'], '-noout', '-crlnumber'],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
    );
    t.match(text, /crlNumber=0x01/);

    const read = await measured(['inspect', crl, files['ca.pem'], '--json']);
    t.equal(read.code, 0, read.stderr);
    t.match(JSON.parse(read.stdout), { reports: [{ kind: 'crl', entries, signatureValid: true }, {}] });
    const size = Math.round(statSync(crl).size / 1024);
    t.comment(`CRL of ${entries} entries, ${size} KiB in PEM`);
    t.comment(
      `written in ${written.seconds.toFixed(1)} s, peak ${written.peak.toFixed(0)} MiB (an empty one: ${few.seconds.toFixed(1)} s, ${few.peak.toFixed(0)} MiB)`,
    );
    t.comment(`read and checked in ${read.seconds.toFixed(1)} s, peak ${read.peak.toFixed(0)} MiB`);
    for (const { peak } of [written, read])
      t.ok(peak < few.peak + 80, 'what it takes beyond an empty one has a bound');
  },
);
