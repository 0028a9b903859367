import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { checkRules, ruleSteps } from '../../src/config/rules.ts';
import { CheckMemory } from '../../src/config/check-memory.ts';
import { createFileSource } from '../../src/config/file-source.ts';
import { loadConfig, type LoadedConfig, LoadMemory } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import type { Config } from '../../src/config/schema.ts';
import { finish } from '../../src/steps.ts';
import { createAuthority } from '../support/pki.ts';
import { folder } from './fixture.ts';

const listeners = 'listeners: { https: { address: 127.0.0.1, port: 0 } }\n';
const host = (name: string, upstream: string): string =>
  `  - names: [${name}]\n    certificate: { cert: server.pem, key: server-key.pem }\n    routes: [{ path: /, upstream: ${upstream} }]\n`;
const upstream = (name: string): string => `  ${name}: { endpoints: ['127.0.0.1:8000'] }\n`;
const fragment = (name: string): string =>
  `hosts:\n${host(`${name}.example.com`, name)}upstreams:\n${upstream(name)}`;

async function pems(): Promise<Record<string, string>> {
  const root = await createAuthority({ cn: 'Root' });
  const { cert, key } = await root.issue({
    cn: 'server',
    usage: 'server',
    hosts: ['a.example.com', 'b.example.com', 'c.example.com', 'd.example.com'],
  });
  return { 'server.pem': cert, 'server-key.pem': key };
}

const material = await pems();

async function problemsOf(t: Test, files: Readonly<Record<string, string>>): Promise<string[]> {
  const path = folder(t, { ...material, ...files });
  const { problems } = await loadConfig(join(path, 'c.yaml'));
  return problems.map((problem) => formatProblem(problem).replaceAll(`${path}/`, ''));
}

void t.test(
  'included files bring hosts and upstreams, in the order of their names, behind its own',
  async (t) => {
    const path = folder(t, {
      ...material,
      'c.yaml': `${listeners}include: ['hosts.d/*.yaml', more.yaml]\nhosts:\n${host('a.example.com', 'd')}upstreams: {}\n`,
      'hosts.d/2.yaml': fragment('c'),
      'hosts.d/1.yaml': fragment('b'),
      'hosts.d/.hidden.yaml': 'not read: [',
      'hosts.d/3.yaml.new': 'not read: [',
      'more.yaml': fragment('d'),
    });
    const loaded = (await loadConfig(join(path, 'c.yaml'))) as LoadedConfig;
    t.same(loaded.problems, []);
    t.same(
      loaded.config.hosts.map(({ names }) => names[0]),
      ['a.example.com', 'b.example.com', 'c.example.com', 'd.example.com'],
    );
    t.same(Object.keys(loaded.config.upstreams), ['b', 'c', 'd']);
    t.same(
      loaded.files.map((file) => file.slice(path.length + 1)),
      ['c.yaml', 'hosts.d/1.yaml', 'hosts.d/2.yaml', 'more.yaml', 'server.pem', 'server-key.pem'],
    );
    t.same(loaded.patterns, [join(path, 'hosts.d/*.yaml')]);
  },
);

void t.test('problems stand in the included file, by line and column', async (t) => {
  const main = `${listeners}include: ['h/*.yaml']\n`;
  const cases: Record<string, readonly [files: Record<string, string>, problems: readonly RegExp[]]> = {
    'what does not fit the schema': [
      { 'h/1.yaml': fragment('a'), 'h/2.yaml': fragment('b').replace('path: /', 'path: 5') },
      [/^h\/2\.yaml:4:22 \/hosts\/0\/routes\/0\/path must be /],
    ],
    'broken syntax': [{ 'h/1.yaml': fragment('a'), 'h/2.yaml': 'hosts: [\n' }, [/^h\/2\.yaml:2:1 \/ /]],
    'a name that leads to a host of another file, which is named by its place': [
      {
        'h/1.yaml': fragment('a'),
        'h/2.yaml': fragment('b').replace('b.example.com', 'A.example.com'),
      },
      [/^h\/2\.yaml:2:13 \/hosts\/0\/names\/0 `A\.example\.com` stands at h\/1\.yaml:2:13 already/],
    ],
    'an upstream of two files': [
      { 'h/1.yaml': fragment('a'), 'h/2.yaml': `upstreams:\n${upstream('a')}` },
      [/^h\/2\.yaml:2:3 \/upstreams\/a the upstream `a` stands in `h\/1\.yaml` already/],
    ],
    'an upstream that is nowhere': [
      { 'h/1.yaml': fragment('a').replace('upstream: a', 'upstream: zzzzzz') },
      [
        /^h\/1\.yaml:4:35 .*there is no upstream `zzzzzz`/,
        /^h\/1\.yaml:6:3 .*no route leads to this upstream/,
      ],
    ],
    'other keys': [
      { 'h/1.yaml': `${fragment('a')}limits: {}\n` },
      [/^h\/1\.yaml:7:1 \/limits an included file holds `hosts`, `upstreams` or both, and nothing else/],
    ],
    'nothing in it but a comment: it may be half written': [
      { 'h/1.yaml': fragment('a'), 'h/2.yaml': '# hosts of team b\n' },
      [/^h\/2\.yaml:1:1 \/ an included file holds/],
    ],
    'a certificate that is missing': [
      { 'h/1.yaml': fragment('a').replace('server.pem', 'none.pem') },
      [/^h\/1\.yaml:3:26 \/hosts\/0\/certificate\/cert `none\.pem` is not there/],
    ],
    'a file with nothing in it': [
      { 'h/1.yaml': fragment('a'), 'h/2.yaml': '' },
      [/^c\.yaml:2:11 \/include\/0 `h\/2\.yaml` is empty/],
    ],
    'hosts that are no list': [
      { 'h/1.yaml': 'hosts: { a: 1 }\n' },
      [/^h\/1\.yaml:1:8 \/hosts must be a list/],
    ],
  };
  for (const [name, [files, problems]] of Object.entries(cases)) {
    const found = (await problemsOf(t, { 'c.yaml': main, ...files })).map((one) =>
      one.replaceAll(/`\/[^`]*\/h\//g, '`h/'),
    );
    t.equal(found.length, problems.length, `${name}: ${found.join('\n')}`);
    for (const [index, problem] of problems.entries()) t.match(found[index], problem, name);
  }
});

void t.test('what cannot be included is told where it is named', async (t) => {
  const cases: Record<string, RegExp> = {
    'none.yaml': /^c\.yaml:2:11 \/include\/0 `.*none\.yaml` is not there/,
    "'none/*.yaml'": /^c\.yaml:2:11 \/include\/0 the folder of `none\/\*\.yaml` cannot be read/,
    "'*/h.yaml'": /^c\.yaml:2:11 \/include\/0 .*a \* stands for files of one folder/,
    'c.yaml': /^c\.yaml:2:11 \/include\/0 `c\.yaml` includes this very file/,
    "a.yaml, 'a.*'": /^c\.yaml:2:19 \/include\/1 `.*a\.yaml` is included already/,
    '5': /^c\.yaml:2:11 \/include\/0 must be /,
  };
  for (const [entries, problem] of Object.entries(cases)) {
    const found = await problemsOf(t, {
      'c.yaml': `${listeners}include: [${entries}]\nhosts:\n${host('b.example.com', 'b')}upstreams:\n${upstream('b')}`,
      'a.yaml': fragment('a'),
    });
    t.equal(found.length, 1, found.join('\n'));
    t.match(found[0], problem);
  }
});

void t.test(
  'of files that are as they were the configuration is the very same; of others it is anew',
  async (t) => {
    const path = folder(t, {
      ...material,
      'c.yaml': `${listeners}include: ['h/*.yaml']\n`,
      'h/1.yaml': fragment('a'),
      'h/2.yaml': fragment('b'),
    });
    const memory = new LoadMemory();
    const load = async (): Promise<Config> => {
      const loaded = await loadConfig(join(path, 'c.yaml'), undefined, memory);
      t.same(loaded.problems, []);
      return loaded.config!;
    };
    // A file that is younger than a tick of the clock is not believed to be unchanged.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const first = await load();
    const text = fragment('b')
      .replace('routes:', 'policy: { cn: x }\n    routes:')
      .replace('cert: server.pem', 'cert: ./server.pem');
    const changed = text.replace('    policy: { cn: x }\n', '');
    writeFileSync(join(path, 'h/new'), changed);
    renameSync(join(path, 'h/new'), join(path, 'h/2.yaml'));
    const second = await load();
    t.equal(second.hosts[0], first.hosts[0]);
    t.equal(second.upstreams['a'], first.upstreams['a']);
    t.equal(second.hosts[1]?.certificate.cert, './server.pem');
    rmSync(join(path, 'h/2.yaml'));
    t.equal((await load()).hosts.length, 1);
  },
);

void t.test(
  'a file overwritten in place within a tick of the clock, with as many bytes, is read again',
  async (t) => {
    const path = folder(t, {
      ...material,
      'c.yaml': `${listeners}include: [h.yaml]\n`,
      'h.yaml': fragment('a'),
    });
    const memory = new LoadMemory();
    for (let round = 0; round < 20; round++) {
      const name = round % 2 === 0 ? 'b' : 'c';
      writeFileSync(join(path, 'h.yaml'), fragment(name));
      const { config } = await loadConfig(join(path, 'c.yaml'), undefined, memory);
      t.equal(config?.hosts[0]?.names[0], `${name}.example.com`);
    }
  },
);

void t.test('a host that was fine is asked again when its upstream is gone', async (t) => {
  const path = folder(t, {
    ...material,
    'c.yaml': `${listeners}include: ['h/*.yaml']\n`,
    'h/1.yaml': `hosts:\n${host('a.example.com', 'b')}`,
    'h/2.yaml': fragment('b'),
    'h/3.yaml': fragment('c'),
  });
  const source = createFileSource(join(path, 'c.yaml'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.equal((await source.load()).ok, true);
  rmSync(join(path, 'h/2.yaml'));
  const refused = await source.load();
  t.match(refused, { ok: false, problems: [/h\/1\.yaml:4:35 .*there is no upstream `b`/] });
  writeFileSync(join(path, 'h/2.yaml'), fragment('b'));
  t.equal((await source.load()).ok, true);
});

void t.test('host by host, the rules find what they find of all at once', async (t) => {
  const twice = (text: string): string =>
    text + text.replace('path: /b', 'path: b').replaceAll('x.test', 'y.test');
  const text = twice(`  - names: [x.test, x.test]
    certificate: { cert: a, key: b }
    clientAuth: { mode: off, ca: c }
    policy: { o: [] }
    routes:
      - { path: /b, upstream: none, bodyLimit: 5x, timeouts: { read: 0s } }
      - { path: /b, redirect: { to: '$nothing' } }
`);
  const path = folder(t, {
    ...material,
    'c.yaml': `${listeners}hosts:\n${text}upstreams:\n${upstream('u')}`,
  });
  const { readDocument } = await import('../../src/config/document.ts');
  const { readFileSync } = await import('node:fs');
  const config = readDocument('c', readFileSync(join(path, 'c.yaml'), 'utf8')).data as Config;
  const lines = (findings: readonly { path: string; message: string }[]): string[] =>
    findings.map(({ path: place, message }) => `${place} ${message}`).sort();
  const atOnce = lines(checkRules(config));
  t.ok(atOnce.length > 10);
  const memory = new CheckMemory();
  t.same(lines(finish(ruleSteps(config, memory))), atOnce);
  t.same(lines(finish(ruleSteps(config, memory))), atOnce, 'and once more, with what is remembered');
});

void t.test(
  'a file that is included and named as a certificate too is read as both, every time',
  async (t) => {
    const both = `${fragment('a').replace('server.pem', 'h.yaml')}${material['server.pem']!.trim().replaceAll(/^/gm, '# ')}\n`;
    const path = folder(t, { ...material, 'c.yaml': `${listeners}include: [h.yaml]\n`, 'h.yaml': both });
    const memory = new LoadMemory();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const first = await loadConfig(join(path, 'c.yaml'), undefined, memory);
    const second = await loadConfig(join(path, 'c.yaml'), undefined, memory);
    t.ok(first.problems.length < 3);
    t.same(second.problems, first.problems);
  },
);
