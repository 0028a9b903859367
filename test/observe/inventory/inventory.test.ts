import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { entryOf } from '../../../src/observe/inventory/entry.ts';
import { csvOf } from '../../../src/observe/inventory/csv.ts';
import { readInventory, writeInventory } from '../../../src/observe/inventory/file.ts';
import { readIdentityQuery } from '../../../src/observe/inventory/filter.ts';
import { Inventory } from '../../../src/observe/inventory/inventory.ts';
import { InventoryKeeper } from '../../../src/observe/inventory/keeper.ts';
import { IdentityRecorder } from '../../../src/observe/inventory/recorder.ts';
import { rotationOf } from '../../../src/observe/inventory/rotation.ts';
import { entryFrom, stateOf } from '../../../src/observe/inventory/state.ts';
import type { Identity } from '../../../src/tls/identity.ts';
import { judgedUnder } from '../../support/client-auth.ts';
import { forward, requestEvent, respond, testConnection, testHost, testIdentity } from '../fixture.ts';

const day = 86_400_000;
const now = Date.UTC(2026, 5, 1);

function identity(number: number, changes: Partial<Identity> = {}): Identity {
  return { ...testIdentity, sha256: number.toString(16).padStart(64, '0'), ...changes };
}

const host = testHost('a.test');
const refused = { status: 'failed', reason: 'untrusted', detail: '', untrustedOnly: true } as const;

void t.test('whoever was not seen the longest is given up, not who came first', (t) => {
  const inventory = new Inventory(3, 0);
  let time = 0;
  const recorder = new IdentityRecorder(inventory, () => ++time);
  const connections = [1, 2, 3, 4].map((one) =>
    testConnection({ identity: identity(one), notes: { identity: null } }),
  );
  const send = (index: number): void =>
    recorder.request(requestEvent(forward(host), { connection: connections[index]! }));
  for (const index of [0, 1, 2, 0]) send(index);
  send(3);
  t.strictSame(
    inventory.list().map(({ fingerprint }) => Number.parseInt(fingerprint, 16)),
    [4, 1, 3],
  );
  t.equal(inventory.evicted, 1);
  send(1);
  t.equal(inventory.size, 3, 'one that was given up comes back within the bound');
  t.equal(inventory.find(identity(2).sha256)?.requests, 1, 'and its connection counts anew');
  t.end();
});

void t.test('certificates that nobody proved make no entry, however many come', (t) => {
  const inventory = new Inventory(2, 0);
  const recorder = new IdentityRecorder(inventory, () => now);
  recorder.request(requestEvent(forward(host), { connection: testConnection({ identity: identity(1) }) }));
  const judged = judgedUnder('trust of a.test', refused);
  for (let one = 1; one <= 50; one++) {
    const connection = testConnection({ identity: identity(one), judged });
    recorder.request(requestEvent(respond('untrusted', host), { connection }));
  }
  t.equal(inventory.size, 1);
  t.equal(inventory.evicted, 0);
  t.strictSame([...inventory.list()[0]!.denials], [['untrusted', 1]], 'a known one is counted for');
  t.end();
});

void t.test('hosts of one identity are bounded', (t) => {
  const inventory = new Inventory(2, 0);
  const recorder = new IdentityRecorder(inventory, () => now);
  const connection = testConnection({ notes: { identity: null } });
  for (let one = 0; one < 100; one++) {
    recorder.request(requestEvent(forward(testHost(`${one}.test`)), { connection }));
  }
  const [entry] = inventory.list();
  t.equal(entry?.hosts.size, 32);
  t.equal(entry?.moreHosts, true);
  t.equal(entry?.requests, 100);
  t.end();
});

void t.test('a certificate that was renewed no longer counts as one that runs out', (t) => {
  const inventory = new Inventory(10, 0);
  inventory.entry(identity(1, { subjectText: 'CN=a', notAfter: now + 5 * day }), now);
  inventory.entry(identity(2, { subjectText: 'CN=b', notAfter: now + 20 * day }), now);
  inventory.entry(identity(3, { subjectText: 'CN=c', notAfter: now - day }), now);
  t.strictSame(inventory.expiring(now), { kept: 3, within: [1, 2, 2] });
  inventory.entry(identity(4, { subjectText: 'CN=a', notAfter: now + 400 * day }), now);
  t.strictSame(inventory.expiring(now), { kept: 4, within: [0, 1, 1] });
  t.end();
});

void t.test('no cell of the CSV is a formula, whatever a client is called', (t) => {
  const names = ['=HYPERLINK("http://evil","x")', '+1', '-1', '@SUM(A1)', '\tx', 'a "b", c\r\n=d'];
  const csv = csvOf(names.map((subjectText, at) => stateOf(entryOf(identity(at, { subjectText }), now))));
  const cells = csv
    .split(/\r\n(?=[0-9a-f]{64},)/)
    .slice(1)
    .map((line) => line.slice(65));
  for (const cell of cells) t.notMatch(cell, /^"?[=+\-@\t\r\n]/);
  t.match(cells[0], /^"'=HYPERLINK\(""http:\/\/evil"",""x""\)"/);
  t.match(cells[5], /^"a ""b"", c/);
  t.end();
});

void t.test('the file is whole, its owner’s alone, and gives back what was written', async (t) => {
  const dir = t.testdir({});
  const path = join(dir, 'identities');
  const entry = entryOf(identity(1), now);
  entry.requests = 7;
  entry.denials.set('policy_ou', 2);
  entry.hosts.set('a.test', { requests: 7, lastSeen: now, anchor: { key: 'ab', subject: 'CN=Root' } });
  await writeInventory(path, { since: now, evicted: 3, entries: [entry] });
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.strictSame(readdirSync(dir), ['identities'], 'nothing else is left');
  t.strictSame(await readInventory(path), { since: now, evicted: 3, entries: [entry] });
});

void t.test('a broken file is set aside with a warning', async (t) => {
  const good = JSON.stringify(stateOf(entryOf(identity(1), now)));
  const header = '{"inventory":1,"since":"2026-01-01T00:00:00.000Z","evicted":0}';
  const broken: Record<string, string> = {
    'is no inventory': 'null\n',
    'is cut short': `${header}\n${good.slice(0, 100)}`,
    'is broken in line 3': `${header}\n${good}\n{"fingerprint":"x"}\n`,
    'is broken in line 2': `${header}\n${good.replace('"requests":0', '"requests":-1')}\n`,
  };
  for (const [fault, text] of Object.entries(broken)) {
    const dir = t.testdir({ identities: text });
    const path = join(dir, 'identities');
    const inventory = new Inventory(10, now);
    const told: unknown[] = [];
    const keeper = new InventoryKeeper(inventory, { program: (...line) => void told.push(line) });
    keeper.path = path;
    await keeper.settled;
    t.match(told, [['warn', /set aside/, { detail: fault }]], fault);
    t.equal(readFileSync(`${path}.broken`, 'utf8'), text);
    inventory.entry(identity(2), now);
    await keeper.close();
    t.equal(readFileSync(path, 'utf8').split('\n').length, 3, 'and a new one begins');
  }
});

void t.test('a folder that cannot be written to is a warning, once', async (t) => {
  const dir = t.testdir({ folder: {} });
  const inventory = new Inventory(10, now);
  const told: unknown[] = [];
  const keeper = new InventoryKeeper(inventory, { program: (...line) => void told.push(line) });
  keeper.path = join(dir, 'nowhere', 'identities');
  inventory.entry(identity(2), now);
  await keeper.close();
  t.match(told, [['warn', /cannot be written/, { detail: 'ENOENT' }]]);
});

void t.test('anything else than a state is none', (t) => {
  const good = stateOf(entryOf(identity(1), now));
  t.ok(entryFrom(good));
  const hosts = Array.from({ length: 33 }, (_, at) => ({
    host: `${at}`,
    requests: 0,
    lastSeen: '2026-01-01',
    anchor: null,
  }));
  for (const change of [
    { fingerprint: '__proto__' },
    { subject: 'x'.repeat(257) },
    { denials: [] },
    { requests: 1.5 },
    { hosts },
    { hosts: [{}] },
    { lastSeen: 'never' },
  ]) {
    t.equal(entryFrom({ ...good, ...change }), null, JSON.stringify(change).slice(0, 40));
  }
  for (const other of [null, [], 'x', 1]) t.equal(entryFrom(other), null);
  t.end();
});

void t.test('questions that cannot be understood are refused', (t) => {
  for (const query of [
    'nonsense=1',
    'limit=-1',
    'limit=1000000',
    'format=xml',
    'expiring=soon',
    '__proto__=1',
  ]) {
    t.throws(
      () => readIdentityQuery(new URLSearchParams(query), now),
      /the parameters are|such as 30d|limit: 0|format: json/,
      query,
    );
  }
  const entry = entryOf(identity(1, { notAfter: now + 5 * day }), now - 40 * day);
  const fits = (query: string): boolean => readIdentityQuery(new URLSearchParams(query), now).fits(entry);
  t.equal(fits('expiring=7d'), true);
  t.equal(fits('expiring=4d'), false);
  t.equal(fits('idle=30d&subject=ROSHAN'), true);
  t.equal(fits('idle=41d'), false);
  t.equal(fits('denied'), false);
  t.end();
});

void t.test('without enough time, or with identities given up, nothing is called safe', (t) => {
  const entry = entryOf(identity(1, { notAfter: now + 100 * day }), now - 50 * day);
  const anchor = { key: 'old', subject: 'CN=Old' };
  entry.hosts.set('a.test', { requests: 1, lastSeen: now - 50 * day, anchor });
  const verdict = (since: number, evicted: number, windowMs = 30 * day): string | undefined =>
    rotationOf({ entries: [entry], since, evicted }, null, { now, windowMs })[0]?.verdict;
  t.equal(verdict(now - 60 * day, 0), 'safe', 'it stayed away for longer than the window');
  t.equal(verdict(now - 60 * day, 1), 'unknown');
  t.equal(verdict(now - 10 * day, 0), 'unknown');
  t.equal(verdict(now - 60 * day, 0, 55 * day), 'not_safe');
  t.end();
});
