import { mkdirSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { splitDocuments } from '../../src/ingress/documents.ts';
import { ManifestReader } from '../../src/ingress/manifests.ts';
import { keyOf } from '../../src/ingress/object.ts';
import { formatFault } from '../../src/ingress/parse-manifest.ts';

const object = (kind: string, name: string, rest = ''): string =>
  `apiVersion: v1\nkind: ${kind}\nmetadata: { name: ${name} }\n${rest}`;

void t.test('documents end at markers, wherever they stand, and know their line', async (t) => {
  t.same(
    splitDocuments('a: 1\n--- # two\nb: 1\n...\n# nothing\n---\nc: |\n  ---\n  text\n--- {d: 1}\n----\n'),
    [
      { text: 'a: 1\n', line: 1 },
      { text: '--- # two\nb: 1\n', line: 2 },
      { text: '---\nc: |\n  ---\n  text\n', line: 6 },
      { text: '--- {d: 1}\n----\n', line: 10 },
    ],
  );
  t.same(splitDocuments('a: "x\u2028--- y"\n').length, 1, 'U+2028 is no line break in YAML');
  t.same(
    splitDocuments('%YAML 1.2\n---\na: 1\r\n---\r\nb: 1').map(({ line }) => line),
    [2, 4],
  );
  t.same(splitDocuments('\n# only\n---\n---\n'), []);
});

void t.test('a folder is read with its folders: documents, Lists, JSON', async (t) => {
  const dir = t.testdir({
    'a.yaml': `${object('Secret', 'a1')}---\n${object('ConfigMap', 'a2')}`,
    'b.json': JSON.stringify({
      apiVersion: 'v1',
      kind: 'List',
      items: [{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'b1', namespace: 'x' } }],
    }),
    'c.yml': 'apiVersion: v1\nkind: SecretList\nitems:\n- metadata: { name: c1 }\n- metadata: { name: c2 }\n',
    sub: { deep: { 'd.yaml': object('Secret', 'd1') } },
    '.hidden': { 'x.yaml': object('Secret', 'no') },
    'notes.txt': 'no: [manifest',
    'empty.yaml': '',
    'other.yaml': 'apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: x }\n',
  });
  const manifests = await new ManifestReader(dir).read();
  t.same(manifests.problems, []);
  t.same(
    manifests.objects.map((o) => `${o.kind} ${keyOf(o)}`),
    [
      'Secret default/a1',
      'ConfigMap default/a2',
      'Service x/b1',
      'Secret default/c1',
      'Secret default/c2',
      'Secret default/d1',
    ],
  );
  t.same([...manifests.passedOver], [['apps/v1 Deployment', 1]]);
  t.ok(manifests.watched.includes(join(dir, 'sub', 'deep')), 'a new file there is to be seen');
});

void t.test('each object knows its place, in Lists and behind other documents', async (t) => {
  const dir = t.testdir({
    'a.yaml': `# top\n${object('Secret', 'a1')}---\napiVersion: v1\nkind: List\nitems:\n- ${object('ConfigMap', 'a2').replaceAll('\n', '\n  ')}data:\n    x: [1]\n`,
  });
  const file = join(dir, 'a.yaml');
  const { objects } = await new ManifestReader(file).read();
  t.equal(objects[1]?.findings[0]?.path, '/data/x');
  t.equal(objects[1]?.origin.at('/data/x'), `${file}:13:8`);
  t.equal(objects[0]?.origin.at('/metadata/name'), `${file}:4:19`);
});

void t.test('what is no object is a fault with its place, and the rest of the file stands', async (t) => {
  const dir = t.testdir({
    'a.yaml': `- not an object\n---\n${object('Secret', 'ok')}---\n${object('Secret', '"NO"')}`,
  });
  const { objects, faults } = await new ManifestReader(dir).read();
  t.equal(objects.length, 1);
  t.same(faults.map(formatFault), [
    `${dir}/a.yaml:1:1 / no Kubernetes object: it lacks apiVersion and kind`,
    `${dir}/a.yaml:9:19 /metadata/name \`NO\` is no name: lower-case letters, digits, - and .`,
  ]);
});

void t.test('a file that cannot be understood keeps everything from being used', async (t) => {
  const bad: [string, string | Buffer, RegExp][] = [
    ['syntax', `${object('Secret', 'a')}---\nkind: [`, /a\.yaml:5:\d+ \/ not YAML/],
    ['a key twice', 'kind: a\nkind: b\n', /a\.yaml:2:1 \/kind the key `kind` stands here twice/],
    ['a tag', 'kind: !!binary aGk=\n', /tags are not taken/],
    ['Latin-1', Buffer.from('kind: caf\xe9\n', 'latin1'), /is not UTF-8/],
    [
      'aliases without end',
      `a: &a [x,x,x,x,x,x,x,x,x]\n${Array.from('bcdefgh')
        .map((key, i) => `${key}: &${key} [${`*${'abcdefgh'[i]},`.repeat(9)}]`)
        .join('\n')}\n`,
      /aliases repeat/,
    ],
  ];
  for (const [name, text, message] of bad) {
    const dir = t.testdir({ 'a.yaml': text });
    const { problems } = await new ManifestReader(dir).read();
    t.match(problems.join('\n'), message, name);
  }
  const { problems } = await new ManifestReader('/nonexistent/x.yaml').read();
  t.match(problems, [/is not there/]);
});

void t.test("Kustomize's input is refused: its patches would stand for whole objects", async (t) => {
  const dir = t.testdir({ 'kustomization.yaml': 'resources: [a.yaml]', 'a.yaml': object('Secret', 'a') });
  const { problems, objects } = await new ManifestReader(dir).read();
  t.match(problems, [/kubectl kustomize/]);
  t.same(objects, []);
});

void t.test('links are followed as Kubernetes volumes have them, and end where they lead back', async (t) => {
  const dir = t.testdir({});
  mkdirSync(join(dir, '..data'));
  writeFileSync(join(dir, '..data', 'a.yaml'), object('Secret', 'a'));
  symlinkSync(join('..data', 'a.yaml'), join(dir, 'a.yaml'));
  symlinkSync('.', join(dir, 'loop'));
  const { objects, problems } = await new ManifestReader(dir).read();
  t.same(problems, []);
  t.equal(objects.length, 1);
});

void t.test('reading again keeps the identity of what has not changed, and moves its place', async (t) => {
  const dir = t.testdir({ 'a.yaml': `${object('Secret', 'a')}---\n${object('Secret', 'b')}` });
  const reader = new ManifestReader(dir);
  const before = await reader.read();
  writeFileSync(join(dir, 'a.yaml'), `${object('Secret', 'a', '# changed\n')}---\n${object('Secret', 'b')}`);
  const after = await reader.read();
  t.not(after.objects[0], before.objects[0]);
  t.equal(after.objects[1], before.objects[1]);
  t.equal(after.objects[1]?.origin.at(''), `${dir}/a.yaml:6:1`);
});

void t.test(
  'a file that has not changed is not read again, and one that has is, however it was put there',
  async (t) => {
    const dir = t.testdir({ 'a.yaml': object('Secret', 'a'), 'b.yaml': object('Secret', 'b') });
    const file = join(dir, 'a.yaml');
    const past = new Date(Date.now() - 60_000);
    const reader = new ManifestReader(dir);
    const names = async (): Promise<string[]> => (await reader.read()).objects.map(({ name }) => name);
    t.same(await names(), ['a', 'b']);
    const [first] = (await reader.read()).objects;
    t.equal((await reader.read()).objects[0], first, 'the very same object');
    // The same size and the same time of writing: only the time of the change tells.
    writeFileSync(file, object('Secret', 'c'));
    utimesSync(file, past, past);
    t.same(await names(), ['c', 'b']);
    const other = join(dir, 'other');
    writeFileSync(other, object('Secret', 'd'));
    utimesSync(other, past, past);
    renameSync(other, file);
    t.same(await names(), ['d', 'b'], 'another file in its place');
    rmSync(join(dir, 'b.yaml'));
    t.same(await names(), ['d']);
    writeFileSync(file, 'kind: [');
    for (const _ of [1, 2]) t.match((await reader.read()).problems, [/a\.yaml:1/], 'told each time');
  },
);

void t.test(
  'told what has changed, it reads that and nothing else, and what had a mistake again',
  async (t) => {
    const dir = t.testdir({ 'a.yaml': object('Secret', 'a'), 'b.yaml': object('Secret', 'b') });
    const [a, b] = [join(dir, 'a.yaml'), join(dir, 'b.yaml')];
    const reader = new ManifestReader(dir, () => Date.now() + 60_000);
    const names = async (...changed: string[]): Promise<string[]> =>
      (await reader.read(new Set(changed))).objects.map(({ name }) => name);
    t.same(await names(), ['a', 'b']);
    for (const [file, name] of [
      [a, 'c'],
      [b, 'd-and-longer'],
    ] as const)
      writeFileSync(file, object('Secret', name));
    t.same(await names(a), ['c', 'b'], 'nobody told of the other');
    t.same(await names(b), ['c', 'd-and-longer']);
    writeFileSync(join(dir, 'e.yaml'), object('Secret', 'e'));
    t.same(await names(dir), ['c', 'd-and-longer', 'e']);
    writeFileSync(a, 'kind: [');
    for (const changed of [[a], [], [b]]) {
      t.match((await reader.read(new Set(changed))).problems, [/a\.yaml:1/], 'told each time');
    }
    writeFileSync(a, object('Secret', 'a'));
    t.same(await names(a), ['a', 'd-and-longer', 'e']);
    rmSync(b);
    t.same(await names(b, dir), ['a', 'e']);
  },
);

void t.test('a file changed within the tick of the clock in which it was read is read again', async (t) => {
  const dir = t.testdir({ 'a.yaml': object('Secret', 'a') });
  const file = join(dir, 'a.yaml');
  const { ctimeMs } = statSync(file);
  let now = ctimeMs + 50;
  const reader = new ManifestReader(dir, () => now);
  const names = async (): Promise<string[]> => (await reader.read(new Set())).objects.map(({ name }) => name);
  t.same(await names(), ['a']);
  // In place, and not told of: the print would be the same if the clock had stood still.
  writeFileSync(file, object('Secret', 'b'));
  now = ctimeMs + 500_000;
  t.same(await names(), ['b']);
});
