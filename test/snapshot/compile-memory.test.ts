import t from 'tap';
import type { Config } from '../../src/config/schema.ts';
import { compile, CompileMemory } from '../../src/snapshot/compile.ts';
import type { Snapshot } from '../../src/snapshot/snapshot.ts';

const material = { 'cert.pem': 'CERT', 'key.pem': 'KEY', 'ca.pem': 'CA', 'other.pem': 'OTHER' };

function aConfig(): Config {
  return {
    listeners: { https: { port: 443 } },
    hosts: [
      {
        names: ['a.test'],
        certificate: { cert: 'cert.pem', key: 'key.pem' },
        clientAuth: { mode: 'require', ca: 'ca.pem' },
        routes: [{ path: '/', upstream: 'one' }],
      },
      {
        names: ['b.test'],
        certificate: { cert: 'other.pem', key: 'key.pem' },
        routes: [{ path: '/', upstream: 'two' }],
      },
    ],
    upstreams: { one: { endpoints: ['127.0.0.1:1'] }, two: { endpoints: ['127.0.0.1:2'] } },
  };
}

function compiled(config: Config, memory?: CompileMemory, files: Partial<typeof material> = {}): Snapshot {
  const result = compile(config, new Map(Object.entries({ ...material, ...files })), memory);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.snapshot;
}

await t.test('hosts and upstreams that are unchanged are the very same objects', (t) => {
  const memory = new CompileMemory();
  const before = compiled(aConfig(), memory);
  const same = compiled(aConfig(), memory);
  t.equal(same.version, before.version);
  t.equal(same.hosts.find('a.test'), before.hosts.find('a.test'));
  const changed = aConfig();
  changed.hosts[1]!.routes[0]!.bodyLimit = '2m';
  changed.upstreams['two']!.tries = 1;
  const after = compiled(changed, memory);
  t.not(after.version, before.version);
  t.equal(after.hosts.find('a.test'), before.hosts.find('a.test'));
  t.not(after.hosts.find('b.test'), before.hosts.find('b.test'));
  t.equal(after.upstreams.get('one'), before.upstreams.get('one'));
  t.not(after.upstreams.get('two'), before.upstreams.get('two'));
  t.same(after.version, compiled(changed).version, 'and nothing of it is told by the version');
  t.end();
});

await t.test('the same configuration objects with other files make another host', (t) => {
  const memory = new CompileMemory();
  const config = aConfig();
  const before = compiled(config, memory);
  const after = compiled(config, memory, { 'ca.pem': 'CA 2' });
  t.not(after.hosts.find('a.test')?.clientAuth.key, before.hosts.find('a.test')?.clientAuth.key);
  t.equal(after.hosts.find('b.test'), before.hosts.find('b.test'));
  t.not(after.version, before.version);
  t.end();
});

await t.test('a host whose CA or upstream is gone is not served from memory', (t) => {
  const memory = new CompileMemory();
  const config = aConfig();
  const before = compiled(config, memory);
  const files = new Map(Object.entries(material));
  files.set('ca.pem', ' \n');
  t.match(compile(config, files, memory), { ok: false, problems: [{ path: '/hosts/0/clientAuth/ca' }] });
  const without: Config = { ...config, upstreams: { one: config.upstreams['one']! } };
  t.match(compile(without, new Map(Object.entries(material)), memory), {
    ok: false,
    problems: [{ path: '/hosts/1/routes/0/upstream' }],
  });
  t.equal(
    compiled(config, memory).hosts.find('a.test'),
    before.hosts.find('a.test'),
    'a set that was refused leaves the memory as it was',
  );
  t.end();
});

await t.test('a moved host is the same, and its problems are told where it stands now', (t) => {
  const memory = new CompileMemory();
  const config = aConfig();
  const before = compiled(config, memory);
  const moved = { ...config, hosts: config.hosts.toReversed() };
  const after = compiled(moved, memory);
  t.equal(after.hosts.find('a.test'), before.hosts.find('a.test'));
  t.not(after.version, before.version, 'the order chooses the default host among equals');
  t.end();
});

await t.test('an upstream that a route leads to besides its own is asked for too', (t) => {
  const memory = new CompileMemory();
  const config = aConfig();
  config.hosts[0]!.routes[0]!.canary = [{ upstream: 'two', weight: 10 }];
  config.hosts[1]!.routes[0]!.upstream = 'one';
  compiled(config, memory);
  const without: Config = { ...config, upstreams: { one: config.upstreams['one']! } };
  t.match(compile(without, new Map(Object.entries(material)), memory), { ok: false });
  t.end();
});
