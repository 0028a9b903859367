import * as fc from 'fast-check';
import t from 'tap';
import type { KubernetesObject } from '../../src/ingress/object.ts';
import { readObject } from '../../src/ingress/read-object.ts';
import { type Translation, translate, TranslationMemory } from '../../src/ingress/translate.ts';
import { makePem, options } from './fixture.ts';

const pem = await makePem();

function object(data: object): KubernetesObject {
  const read = readObject(data, { at: () => 'test' });
  if ('object' in read) return read.object;
  throw new Error(JSON.stringify(read));
}

const ingress = (name: string, host: string, annotations: object = {}, service = 'web'): KubernetesObject =>
  object({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, annotations },
    spec: {
      tls: [{ hosts: [host], secretName: 'cert' }],
      rules: [
        {
          host,
          http: {
            paths: [
              {
                path: '/',
                pathType: 'Prefix',
                backend: { service: { name: service, port: { number: 80 } } },
              },
            ],
          },
        },
      ],
    },
  });
const service = (name: string, target = `${name}.test`): KubernetesObject =>
  object({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { type: 'ExternalName', externalName: target, ports: [{ port: 80 }] },
  });
const secret = (name: string, data: object): KubernetesObject =>
  object({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: data });
const settings = (data: object): KubernetesObject =>
  object({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'ingress-nginx-controller', namespace: 'ingress-nginx' },
    data,
  });

const prefix = 'nginx.ingress.kubernetes.io/';
const authTls = { [`${prefix}auth-tls-secret`]: 'default/ca' };
/** Each is there or not, and some of them are there in two forms. */
const pool: readonly KubernetesObject[] = [
  ingress('a', 'a.test'),
  ingress('a', 'a.test', authTls),
  ingress('b', 'b.test', { [`${prefix}server-alias`]: 'x.test,a.test' }),
  ingress('c', 'a.test', { [`${prefix}canary`]: 'true', [`${prefix}canary-weight`]: '5' }, 'api'),
  ingress(
    'd',
    'd.test',
    { [`${prefix}from-to-www-redirect`]: 'true', [`${prefix}default-backend`]: 'api' },
    'gone',
  ),
  ingress('e', 'x.test'),
  ingress('f', 'www.d.test', { [`${prefix}auth-type`]: 'basic', [`${prefix}auth-secret`]: 'users' }),
  service('web'),
  service('web', 'other.test'),
  service('api'),
  secret('ca', { 'ca.crt': pem.values['CA'] }),
  secret('ca', { 'ca.crt': pem.values['OTHER_CA'] }),
  secret('cert', { 'tls.crt': pem.values['CERT'], 'tls.key': pem.values['KEY'] }),
  secret('users', { auth: 'u:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n' }),
  settings({ 'proxy-body-size': '8m' }),
  settings({ 'whitelist-source-range': '10.0.0.0/8' }),
];

const filesOf = ({ material }: Translation): string =>
  JSON.stringify([...material].sort(([one], [other]) => (one < other ? -1 : 1)));

void t.test('what is remembered never shows: every translation is as one from scratch', async (t) => {
  const whole = options(pem);
  fc.assert(
    fc.property(fc.array(fc.subarray([...pool]), { minLength: 2, maxLength: 6 }), (steps) => {
      const memory = new TranslationMemory();
      for (const objects of steps) {
        const [now, fresh] = [translate(objects, whole, memory), translate(objects, whole)];
        for (const part of ['config', 'problems'] as const) {
          const strip = (value: unknown): string =>
            JSON.stringify(value, (key, one: unknown) =>
              key === 'object' ? (one as { name: string }).name : one,
            );
          if (strip(now[part]) !== strip(fresh[part]))
            throw new Error(`${strip(now[part])} ${strip(fresh[part])}`);
        }
        if (filesOf(now) !== filesOf(fresh)) {
          throw new Error('other material');
        }
      }
    }),
    { numRuns: 500 },
  );
  t.pass('all alike');
});

void t.test('a change costs its own host: the others are the very same objects', async (t) => {
  const whole = options(pem);
  const memory = new TranslationMemory();
  const [web, api] = [service('web'), service('api')];
  const [a, b] = [ingress('a', 'a.test'), ingress('b', 'b.test', {}, 'api')];
  const before = translate([a, b, web, api], whole, memory).config;
  const after = translate([a, b, web, service('api', 'moved.test')], whole, memory).config;
  const host = (config: typeof before, name: string): unknown =>
    config.hosts.find(({ names }) => names.includes(name));
  t.equal(host(before, 'a.test'), host(after, 'a.test'));
  t.equal(before.upstreams['default.web.80'], after.upstreams['default.web.80']);
  t.same(after.upstreams['default.api.80']?.endpoints, ['moved.test:80']);
});
