import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadConfig } from '../../src/config/load.ts';
import { compile } from '../../src/snapshot/compile.ts';
import type { Snapshot } from '../../src/snapshot/snapshot.ts';
import { folder, material, valid } from './fixture.ts';

const files = await material();
const pair = 'certificate: { cert: server.pem, key: server-key.pem';

async function load(t: Test, text: string, more: Readonly<Record<string, string | Buffer>> = {}) {
  const path = folder(t, { ...files, ...more, 'c.yaml': text });
  return { path, loaded: await loadConfig(join(path, 'c.yaml')) };
}

function compiled(loaded: Awaited<ReturnType<typeof loadConfig>>): Snapshot {
  if (loaded.config === undefined) throw new Error('there is no configuration');
  const result = compile(loaded.config, loaded.material);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.snapshot;
}

const withOcsp = (settings: string): string =>
  valid.replace('verifyDepth: 2', `verifyDepth: 2\n      ocsp: ${settings}`);

void t.test('settings that cannot be kept are told of, where they stand', async (t) => {
  const faults: Record<string, [string, RegExp]> = {
    '{ mode: hard, responder: "https://a/" }': ['responder', /./],
    '{ mode: hard, responder: "http://" }': ['responder', /no http URL/],
    '{ mode: soft, timeout: 0s }': ['timeout', /longer than 0/],
    '{ mode: soft, maxAge: 999ms }': ['maxAge', /1s or longer/],
    '{ mode: soft, maxAge: 9999h }': ['maxAge', /596h/],
    '{ mode: on }': ['mode', /./],
  };
  for (const [settings, [key, message]] of Object.entries(faults)) {
    const { loaded } = await load(t, withOcsp(settings));
    const path = `/hosts/0/clientAuth/ocsp/${key}`;
    t.match(loaded.problems[0], { path, message, severity: 'error' }, settings);
    t.equal(loaded.config, undefined);
  }
  t.same((await load(t, withOcsp('{ mode: hard }'))).loaded.problems, []);
});

void t.test(
  'a route asks as its host does unless it says otherwise, and each way is a trust store',
  async (t) => {
    const hosts = withOcsp('{ mode: hard, timeout: 5s }')
      .replace('      strict: true\n', '')
      .replace(
        '      - path: /exact\n',
        '      - path: /off\n        upstream: app\n        clientAuth: { mode: require, ocsp: { mode: off } }\n      - path: /exact\n',
      );
    const { loaded } = await load(t, hosts);
    t.same(loaded.problems, []);
    const snapshot = compiled(loaded);
    const host = snapshot.hosts.find('a.example.com')!;
    const trustOf = (path: string) => host.routes.find(path)?.clientAuth.trust;
    const ocsp = { mode: 'hard', responder: null, timeoutMs: 5000, maxAgeMs: 86_400_000 };
    t.same(trustOf('/exact')?.ocsp, ocsp);
    t.equal(trustOf('/off')?.ocsp, null);
    t.not(trustOf('/off')?.key, trustOf('/exact')?.key);
    t.equal(host.clientAuth.stores.length, 2);
  },
);

void t.test('a response to staple is read as it is, and watched; it excludes asking for one', async (t) => {
  const bytes = Buffer.from([0x30, 0x82, 0, 0xff, 0x80, 0x0a, 0x0d]);
  const staple = { 'staple.der': bytes };
  const named = valid.replace(pair, `${pair}, ocspResponse: staple.der`);
  const { path, loaded } = await load(t, named, staple);
  t.same(loaded.problems, []);
  t.ok(loaded.files.includes(join(path, 'staple.der')));
  const snapshot = compiled(loaded);
  const stapling = snapshot.hosts.find('a.example.com')!.stapling;
  t.same(stapling, { kind: 'file', response: bytes.toString('base64'), file: 'staple.der' });
  const both = await load(
    t,
    valid.replace(pair, `${pair}, ocspResponse: staple.der, stapling: true`),
    staple,
  );
  t.match(both.loaded.problems, [{ path: '/hosts/0/certificate/stapling', message: /exclude each other/ }]);
  t.match((await load(t, named)).loaded.problems, [{ message: /is not there/ }]);
});
