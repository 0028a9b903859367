import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Check } from 'typebox/schema';
import { parse } from 'yaml';
import { checkFile } from '../../src/config/command.ts';
import { adminHostOf } from '../../src/config/admin-host.ts';
import { fileReferences } from '../../src/config/file-references.ts';
import { loadConfig } from '../../src/config/load.ts';
import { configJsonSchema, configJsonSchemaText } from '../../src/config/json-schema.ts';
import type { Config } from '../../src/config/schema.ts';
import { makeDemoPki } from '../../src/pki/demo.ts';
import { createAuthority } from '../support/pki.ts';
import { changed, folder as temporary, problemsOf, valid } from './fixture.ts';

const folder = fileURLToPath(new URL('../../config', import.meta.url));
const examples = readdirSync(folder).filter(
  (name) => name.endsWith('.yaml') && !name.endsWith('.tests.yaml'),
);
const schema = configJsonSchema();

void t.test('the committed JSON Schema is fresh', async (t) => {
  const committed = readFileSync(join(folder, 'mtls-ingress.schema.json'), 'utf8');
  t.equal(committed, configJsonSchemaText(), '`npm run schema` writes it');
});

void t.test('the JSON Schema refers to its definitions as the standard says', async (t) => {
  const definitions = Object.keys(schema['$defs'] as object);
  const references = [...JSON.stringify(schema).matchAll(/"\$ref":"([^"]*)"/g)].map(
    ([, reference]) => reference!,
  );
  t.ok(references.length > 0);
  for (const reference of references)
    t.ok(definitions.includes(reference.replace(/^#\/\$defs\//, '')), reference);
  t.match(schema, {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: /^urn:/,
    title: /./,
    type: 'object',
  });
});

void t.test('the JSON Schema allows what the program allows, and refuses what it refuses', async (t) => {
  t.equal(Check(schema, parse(valid)), true);
  for (const change of [
    ['accessLog', 'acessLog'],
    ["not: { ou: { exact: '*' } }", 'not: { oou: x }'],
    ['X-Client:', 'X_Client:'],
    ['mode: require', 'mode: on'],
    ['headTimeout: 10s', 'headTimeout: 10'],
  ] as const) {
    const text = changed(change);
    t.ok(problemsOf(text).length > 0);
    t.equal(Check(schema, parse(text)), false, change[1]);
  }
});

void t.test('there are the examples that the documentation names', async (t) => {
  t.same(examples.sort(), ['demo.yaml', 'edge.yaml', 'routes.yaml', 'sidecar.yaml']);
});

for (const name of examples) {
  void t.test(`${name} fits the schema and is right but for the files that it names`, async (t) => {
    const file = join(folder, name);
    const text = readFileSync(file, 'utf8');
    t.equal(text.split('\n')[0], '# yaml-language-server: $schema=./mtls-ingress.schema.json');
    t.equal(Check(schema, parse(text)), true);
    const { problems } = await loadConfig(file);
    const others = problems.filter(
      ({ severity, message }) => severity === 'error' && !message.endsWith(' is not there'),
    );
    t.same(others, []);
    const warnings = problems.filter(({ severity }) => severity === 'warning').map(({ path }) => path);
    t.same(warnings, []);
  });
}

void t.test('demo.yaml is right in all with the PKI that the demo makes', async (t) => {
  const root = temporary(t, { 'config/demo.yaml': readFileSync(join(folder, 'demo.yaml')) });
  await makeDemoPki(join(root, 'certs', 'demo'));
  const { problems, summary } = await checkFile(join(root, 'config', 'demo.yaml'), Date.now());
  t.same(problems, []);
  t.same(summary, { hosts: 1, routes: 1, upstreams: 1, files: 4 });
});

void t.test('edge.yaml and sidecar.yaml are right in all once their files are there', async (t) => {
  for (const name of ['edge.yaml', 'sidecar.yaml']) {
    const root = temporary(t);
    // Absolute paths would lead out of the test's folder.
    const text = readFileSync(join(folder, name), 'utf8').replaceAll('/etc/mtls-ingress/', 'etc/');
    const config = parse(text) as Config;
    const authority = await createAuthority({ cn: 'Root' });
    const put = (file: string, contents: string, mode = 0o644): void => {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), contents, { mode });
    };
    for (const { path, file, role } of fileReferences(config)) {
      if (role === 'ca') put(file, authority.cert);
      if (role === 'crl') put(file, authority.crl());
      if (role === 'tokens') put(file, randomBytes(16).toString('hex'), 0o600);
      if (role !== 'certificate') continue;
      const [, section, index] = path.split('/');
      const admin = section === 'listeners' ? adminHostOf(config) : null;
      const host = section === 'hosts' ? config.hosts[Number(index)] : admin;
      const { cert, key } = host?.certificate ?? config.upstreams[index!]!.tls!;
      const issued = await authority.issue({ usage: 'both', hosts: host?.names ?? [] });
      put(cert!, issued.bundle);
      put(key!, issued.key, 0o600);
    }
    put('config.yaml', text);
    const { problems, summary } = await checkFile(join(root, 'config.yaml'), Date.now());
    t.same(
      problems.filter(({ severity }) => severity === 'error'),
      [],
      name,
    );
    t.ok(summary);
  }
});

void t.test('the example in the README is right but for its files', async (t) => {
  const readme = readFileSync(join(folder, '..', 'README.md'), 'utf8');
  const text = /```yaml\n(# yaml-language-server[^]*?)```/.exec(readme)?.[1] ?? '';
  t.same(problemsOf(text), []);
});
