import t, { type Test } from 'tap';
import { readObject } from '../../src/ingress/read-object.ts';
import { translate, type Translation } from '../../src/ingress/translate.ts';
import { ingress } from '../support/objects.ts';
import { makePem, options } from './fixture.ts';

const pem = await makePem();

/** As many as fit into the 1.5 MB that the API server keeps of an object. */
const most = 8000;

/** Generous: a machine may be busy. What grew with the square of it took half a minute, or all memory. */
const withinMs = 10_000;

const rules = Array.from({ length: most }, (_, index) => ({
  host: `h${index}.test`,
  http: {
    paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }],
  },
}));

interface More {
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** An Ingress, and another one beside it. */
function translated(
  t: Test,
  spec: object,
  annotations: Readonly<Record<string, string>> = {},
  more: More | null = null,
): Translation {
  const all = [{ name: 'x', annotations }, ...(more === null ? [] : [more])];
  const objects = all.map((one) => {
    const object = { ...ingress({ host: 'x.test', ...one }), spec: { ingressClassName: 'nginx', ...spec } };
    const read = readObject(object, { at: () => 'test' });
    if (!('object' in read)) throw new Error(JSON.stringify(read));
    return read.object;
  });
  const began = performance.now();
  const translation = translate(objects, options(pem));
  const tookMs = Math.round(performance.now() - began);
  t.ok(tookMs < withinMs, `${tookMs} ms`);
  return translation;
}

void t.test('an Ingress of many hosts costs each of them once', async (t) => {
  t.equal(translated(t, { rules }).config.hosts.length, most + 1);
});

void t.test('many tls blocks that name no host are not tried for every host', async (t) => {
  const tls = rules.map((_, index) => ({ secretName: `s${index}` }));
  const { references, problems } = translated(t, { rules, tls });
  t.equal(references.secrets.size, 0);
  t.equal(problems.filter(({ path }) => path === '/spec/tls').length, 1);
  const few = translated(t, { rules: rules.slice(0, 3), tls: tls.slice(0, 100) });
  t.equal(few.references.secrets.size, 100);
});

void t.test('many tls blocks that name their hosts are each found', async (t) => {
  const tls = rules.map(({ host }, index) => ({ hosts: [host], secretName: `s${index}` }));
  t.equal(translated(t, { rules, tls }).references.secrets.size, most);
});

void t.test('more aliases than anybody has are refused', async (t) => {
  const names = Array.from({ length: 20_000 }, (_, index) => `a${index}.test`);
  const { config, problems } = translated(
    t,
    { rules: rules.slice(0, 100) },
    { 'server-alias': names.join(',') },
  );
  t.ok(config.hosts.every(({ names }) => names.length === 1));
  t.match(problems, [{ severity: 'error', message: /more than 200/ }]);
  const [first] = translated(
    t,
    { rules: rules.slice(0, 1) },
    { 'server-alias': names.slice(0, 200).join(',') },
  ).config.hosts;
  t.equal(first?.names.length, 201);
});

void t.test('policies for many paths are held against the paths once', async (t) => {
  const paths = Array.from({ length: 3000 }, (_, index) => ({
    ...rules[0]!.http.paths[0],
    path: `/p${index}`,
  }));
  const policies = paths.map(({ path }) => `${path}: { cn: x }`).join('\n');
  const annotations = { 'mtls-ingress.io/path-policies': policies };
  t.ok(translated(t, { rules: [{ host: 'x.test', http: { paths } }] }, annotations).config.hosts.length > 0);
});

void t.test('many paths of a canary are looked up, not searched', async (t) => {
  const paths = rules.map(({ http }, index) => ({ ...http.paths[0], path: `/p${index}` }));
  const spec = { rules: [{ host: 'x.test', http: { paths } }] };
  const canary = { name: 'canary', annotations: { canary: 'true', 'canary-weight': '10' } };
  const { config } = translated(t, spec, {}, canary);
  t.equal(config.hosts.length, 2);
});
