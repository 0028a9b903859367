import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type DatabaseRecord, IssuerDatabase } from '../../src/pki/database.ts';
import { crlHistory, entries, lookUp, revocations } from '../../src/pki/ledger.ts';
import { withLock } from '../../src/pki/lock.ts';
import { cleanNode } from '../support/program.ts';

const issued = (serial: string, notAfter = '2030-01-01T00:00:00.000Z'): DatabaseRecord => ({
  event: 'issued',
  at: '2026-01-01T00:00:00.000Z',
  serial,
  subject: `CN=${serial}`,
  notBefore: '2026-01-01T00:00:00.000Z',
  notAfter,
  profile: 'client',
  sha256: '',
});

async function all(database: IssuerDatabase, damaged: number[] = []): Promise<DatabaseRecord[]> {
  const records: DatabaseRecord[] = [];
  for await (const record of database.records((line) => damaged.push(line))) records.push(record);
  return records;
}

void t.test('four processes that append at once lose nothing', async (t) => {
  const path = join(t.testdir(), 'db.jsonl');
  const script = join(import.meta.dirname, 'database-appender.ts');
  const children = [0, 1, 2, 3].map((part) => {
    const [command, args] = cleanNode(script, path, String(part * 1000), '100');
    return spawn(command, args, { stdio: 'inherit' });
  });
  for (const [code] of await Promise.all(children.map((child) => once(child, 'exit')))) t.equal(code, 0);
  const damaged: number[] = [];
  const records = await all(new IssuerDatabase(path), damaged);
  t.same(damaged, []);
  const serials = new Set(records.map((record) => (record.event === 'issued' ? record.serial : '')));
  t.equal(serials.size, 400);
});

void t.test('the torn line of a killed process takes no other with it', async (t) => {
  const path = join(t.testdir(), 'db.jsonl');
  const database = new IssuerDatabase(path);
  await database.append(issued('01'));
  appendFileSync(path, '{"event":"issued","at":"2026');
  await database.append(issued('02'));
  const damaged: number[] = [];
  t.same(await all(database, damaged), [issued('01'), issued('02')]);
  t.same(damaged, [2]);
  await t.rejects(
    crlHistory(database),
    /db\.jsonl:2 is damaged/,
    'no CRL past a line that may revoke somebody',
  );
  await t.rejects(lookUp(database, '01'), /db\.jsonl:2 is damaged/);
});

void t.test('a line that is no record is never taken for one', async (t) => {
  const path = join(t.testdir(), 'db.jsonl');
  const lines = [
    '[]',
    'null',
    '7',
    '{"event":"issued"}',
    JSON.stringify({ ...issued('01'), serial: 'xyz' }),
    JSON.stringify({ ...issued('01'), notAfter: 'never' }),
    '{"event":"revoked","at":"2026-01-01T00:00:00Z","serial":"01","reason":"constructor"}',
    '{"event":"crl","at":"2026-01-01T00:00:00Z","number":"-1","nextUpdate":"2026-01-01T00:00:00Z","entries":0}',
    'x'.repeat(70_000),
  ];
  writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
  const damaged: number[] = [];
  t.same(await all(new IssuerDatabase(path), damaged), []);
  t.same(
    damaged,
    lines.map((_, index) => index + 1),
  );
});

void t.test('a missing database is an empty one', async (t) => {
  const database = new IssuerDatabase(join(t.testdir(), 'none.jsonl'));
  t.same(await all(database), []);
  t.same(await crlHistory(database), { nextNumber: 1n, lastAt: null });
});

void t.test(
  'a revoked certificate stays on the list until one made after its end has told of it',
  async (t) => {
    const database = new IssuerDatabase(join(t.testdir(), 'db.jsonl'));
    const serialsAt = async (): Promise<string[]> => {
      const serials: string[] = [];
      for await (const { serial } of revocations(database, await crlHistory(database))) {
        serials.push(Buffer.from(serial).toString('hex'));
      }
      return serials;
    };
    const crl = (at: string, number: string): DatabaseRecord => ({
      event: 'crl',
      at,
      number,
      nextUpdate: at,
      entries: 0,
    });
    const end = '2026-06-01T00:00:00.000Z';
    await database.append(issued('0A', end));
    await database.append({
      event: 'revoked',
      at: '2026-05-01T00:00:00.000Z',
      serial: '0A',
      reason: 'superseded',
      notAfter: end,
    });
    t.same(await serialsAt(), ['0a']);
    await database.append(crl('2026-05-20T00:00:00.000Z', '1'));
    t.same(await serialsAt(), ['0a'], 'no list was made after its end yet');
    await database.append(crl('2026-06-02T00:00:00.000Z', '2'));
    t.same(await serialsAt(), [], 'now one was');
    t.equal((await crlHistory(database)).nextNumber, 3n);
  },
);

void t.test('what was issued and revoked is told together', async (t) => {
  const database = new IssuerDatabase(join(t.testdir(), 'db.jsonl'));
  await database.append(issued('01'));
  await database.append(issued('02'));
  await database.append({
    event: 'revoked',
    at: '2026-05-01T00:00:00.000Z',
    serial: '02',
    reason: 'keyCompromise',
  });
  await database.append({
    event: 'revoked',
    at: '2026-06-01T00:00:00.000Z',
    serial: '02',
    reason: 'superseded',
  });
  await database.append({
    event: 'revoked',
    at: '2026-05-01T00:00:00.000Z',
    serial: '03',
    reason: 'unspecified',
  });
  t.match(await entries(database, () => t.fail()), [
    { serial: '01', revoked: null },
    { serial: '02', revoked: { at: '2026-05-01T00:00:00.000Z', reason: 'keyCompromise' } },
    { serial: '03', subject: '', revoked: { reason: 'unspecified' } },
  ]);
});

void t.test('the lock lets one in at a time and ends with its holder', async (t) => {
  const path = join(t.testdir(), 'lock');
  let inside = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setImmediate(resolve));
    inside--;
  };
  await Promise.all(Array.from({ length: 8 }, async () => await withLock(path, work)));
  t.equal(most, 1);
  await t.rejects(
    withLock(path, async () => Promise.reject(new Error('no'))),
    /no/,
  );
  const script = `
    import { withLock } from ${JSON.stringify(join(import.meta.dirname, '../../src/pki/lock.ts'))};
    await withLock(${JSON.stringify(path)}, () => new Promise(() => { console.log('held'); setInterval(() => {}, 1e6); }));`;
  const [command, args] = cleanNode('--input-type=module', '-e', script);
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const waiting = withLock(path, async () => 'in');
  child.kill('SIGKILL');
  t.equal(await waiting, 'in', 'a killed process holds nothing');
  t.equal(readFileSync(path).byteLength, 0);
});
