import * as fc from 'fast-check';
import t from 'tap';
import type { Ingress, KubernetesObject, Origin, Secret } from '../../src/ingress/object.ts';
import { readObject } from '../../src/ingress/read-object.ts';

const origin: Origin = { at: () => 'test:1:1' };

function read(data: unknown): KubernetesObject {
  const result = readObject(data, origin);
  if (!('object' in result)) throw new Error(JSON.stringify(result));
  return result.object;
}

const messages = ({ findings }: KubernetesObject): string[] =>
  findings.map(({ path, message, severity }) => `${severity} ${path} ${message}`);

function ingress(spec: unknown, apiVersion = 'networking.k8s.io/v1', metadata: object = {}): Ingress {
  return read({ apiVersion, kind: 'Ingress', metadata: { name: 'web', ...metadata }, spec }) as Ingress;
}

const backend = { service: { name: 'web', port: { number: 80 } } };

void t.test('the three versions of an Ingress come to one form', async (t) => {
  const rules = (backend: object, pathType?: string): object => ({
    rules: [{ host: 'A.test', http: { paths: [{ path: '/x', ...(pathType && { pathType }), backend }] } }],
  });
  const forms = [
    ingress(rules({ service: { name: 'web', port: { name: 'http' } } }, 'ImplementationSpecific')),
    ingress(rules({ serviceName: 'web', servicePort: 'http' }), 'networking.k8s.io/v1beta1'),
    ingress(rules({ serviceName: 'web', servicePort: 'http' }), 'extensions/v1beta1'),
  ];
  for (const form of forms) {
    t.same(form, forms[0]);
    t.equal(form.isInvalid, false);
    t.equal(form.namespace, 'default');
    t.same(form.rules, [
      {
        host: 'a.test',
        place: '/spec/rules/0',
        paths: [
          {
            path: '/x',
            pathType: 'ImplementationSpecific',
            backend: { service: 'web', port: 'http' },
            place: '/spec/rules/0/http/paths/0',
          },
        ],
      },
    ]);
  }
});

void t.test('an absent path is / and an absent pathType ImplementationSpecific', async (t) => {
  const { rules } = ingress(
    { rules: [{ http: { paths: [{ backend: { serviceName: 'web', servicePort: 80 } }] } }] },
    'networking.k8s.io/v1beta1',
  );
  t.equal(rules[0]?.host, null);
  t.match(rules[0]?.paths[0], { path: '/', pathType: 'ImplementationSpecific', backend: { port: 80 } });
});

void t.test('what cannot be what was meant makes an Ingress invalid, and says where', async (t) => {
  const table: [name: string, spec: unknown, message: RegExp][] = [
    ['a host that is a list', { rules: [{ host: ['a'] }] }, /rules\/0\/host wants a text, found a list/],
    ['rules that are a map', { rules: {} }, /\/spec\/rules wants a list, found a map/],
    ['a spec that is a text', 'x', /\/spec wants a map, found `x`/],
    [
      'a relative path',
      { rules: [{ http: { paths: [{ path: 'x', pathType: 'Prefix', backend }] } }] },
      /no absolute path/,
    ],
    [
      'an unknown pathType',
      { rules: [{ http: { paths: [{ path: '/', pathType: 'prefix', backend }] } }] },
      /`prefix` is none of Exact, Prefix/,
    ],
    ['a path without backend', { rules: [{ http: { paths: [{ pathType: 'Exact' }] } }] }, /has no backend/],
    [
      'the words of v1beta1 in v1',
      { defaultBackend: { serviceName: 'web', servicePort: 80 } },
      /serviceName is of v1beta1/,
    ],
    ['a service without port', { defaultBackend: { service: { name: 'web' } } }, /names no port/],
    [
      'a port out of range',
      { defaultBackend: { service: { name: 'web', port: { number: 70_000 } } } },
      /wants a port/,
    ],
    [
      'a service name that is none',
      { defaultBackend: { service: { name: '../x', port: { number: 1 } } } },
      /no name of a Service/,
    ],
    ['a TLS host that is a number', { tls: [{ hosts: [1] }] }, /tls\/0\/hosts\/0 wants a text/],
  ];
  for (const [name, spec, message] of table) {
    const read = ingress(spec);
    t.equal(read.isInvalid, true, name);
    t.match(messages(read).join('\n'), message, name);
  }
});

void t.test(
  'annotations are texts; a number is taken as written, anything else makes the object invalid',
  async (t) => {
    const read = ingress({}, 'networking.k8s.io/v1', {
      annotations: { text: 'on', number: 5, flag: true, list: ['x'], __proto__: null },
    });
    t.same(
      [...read.annotations],
      [
        ['text', 'on'],
        ['number', '5'],
        ['flag', 'true'],
      ],
    );
    t.equal(read.isInvalid, true);
    t.match(messages(read), [
      'warning /metadata/annotations/number `5` is no text: the API server refuses it, write it in quotes',
      'warning /metadata/annotations/flag `true` is no text: the API server refuses it, write it in quotes',
      'error /metadata/annotations/list wants a text, in quotes',
    ]);
  },
);

void t.test('a Secret is decoded whole or not at all, and stringData wins over data', async (t) => {
  const secret = read({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's' },
    data: { a: Buffer.from('one').toString('base64'), b: 'not base64!', c: 'b25l\nb25l', d: 'b25l' },
    stringData: { d: 'two' },
  }) as Secret;
  const text = (key: string): string | undefined =>
    secret.data.has(key) ? Buffer.from(secret.data.get(key)!).toString() : undefined;
  t.equal(text('a'), 'one');
  t.equal(text('b'), undefined, 'a cut or hand-written value is not half a key');
  t.equal(text('c'), 'oneone');
  t.equal(text('d'), 'two');
  t.match(messages(secret), ['error /data/b is no base64: plain text goes under stringData']);
});

void t.test('names that are none are no objects: they would end up in file names and metrics', async (t) => {
  for (const metadata of [
    {},
    { name: 5 },
    { name: '../../etc/passwd' },
    { name: 'a'.repeat(300) },
    { name: 'a', namespace: 'x/y' },
    { name: 'a', namespace: 'a.b' },
  ]) {
    const result = readObject({ apiVersion: 'v1', kind: 'Secret', metadata }, origin);
    t.ok('fault' in result, JSON.stringify(metadata));
  }
});

void t.test('kinds that are not ours are passed over, ours in unknown versions are told of', async (t) => {
  const kind = (apiVersion: string, kind: string): unknown =>
    readObject({ apiVersion, kind, metadata: { name: 'a' } }, origin);
  t.same(kind('apps/v1', 'Deployment'), { passedOver: 'apps/v1 Deployment' });
  t.same(kind('serving.knative.dev/v1', 'Service'), { passedOver: 'serving.knative.dev/v1 Service' });
  t.match(kind('networking.k8s.io/v2', 'Ingress'), { fault: { path: '/apiVersion' } });
  t.match(kind('networking.k8s.io/v1', 'Ingress'), { object: { kind: 'Ingress' } });
});

void t.test('nothing that a manifest can hold makes reading it throw', async () => {
  const kinds = ['Ingress', 'IngressClass', 'Service', 'Endpoints', 'EndpointSlice', 'Secret', 'ConfigMap'];
  const versions = ['v1', 'networking.k8s.io/v1', 'networking.k8s.io/v1beta1', 'discovery.k8s.io/v1'];
  const keys = [
    'spec',
    'rules',
    'http',
    'paths',
    'backend',
    'service',
    'port',
    'ports',
    'tls',
    'hosts',
    'metadata',
    'annotations',
    'labels',
    'data',
    'stringData',
    'endpoints',
    'addresses',
    'subsets',
    'conditions',
    '__proto__',
    'constructor',
    'toString',
  ];
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom(null, true, 0, -1, 80, Number.NaN, '', 'x', '/a', 'Exact'),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keys), tie('value'), { maxKeys: 5 }),
    ),
  })).value;
  fc.assert(
    fc.property(
      fc.constantFrom(...kinds),
      fc.constantFrom(...versions),
      fc.dictionary(fc.constantFrom(...keys), value),
      value,
      (kind, apiVersion, rest, annotations) => {
        readObject({ metadata: { name: 'a', annotations }, ...rest, apiVersion, kind }, origin);
        readObject(rest, origin);
      },
    ),
    { numRuns: 2000 },
  );
});
