import * as fc from 'fast-check';
import t from 'tap';
import { checkRules } from '../../src/config/rules.ts';
import type { RouteConfig } from '../../src/config/schema.ts';
import { checkShape } from '../../src/config/shape.ts';
import { type Annotation, nginxPrefix } from '../../src/ingress/annotations/annotation.ts';
import { annotationsByKey } from '../../src/ingress/annotations/registry.ts';
import { readObject } from '../../src/ingress/read-object.ts';
import { settingsByKey } from '../../src/ingress/settings/registry.ts';
import { type Translation, translate } from '../../src/ingress/translate.ts';
import { compile } from '../../src/snapshot/compile.ts';
import { makePem, options } from './fixture.ts';

const pem = await makePem();

/** What people write, and what people write who want to break out of it. */
const written = [
  'true',
  'false',
  'on',
  'off',
  '0',
  '1',
  '-1',
  '60',
  '60s',
  '8m',
  '404,503',
  'basic',
  'digest',
  'cookie',
  'HTTPS',
  'any',
  'ewma',
  'default/s',
  's',
  'other/s',
  '/',
  '/$1',
  '/x?y=$args',
  'https://x.test',
  'https://x.test/$request_uri',
  'CN=x',
  '10.0.0.0/8',
  '10.0.0.0/8,::/0',
  '1.2.3.4; deny all',
  'x"; }',
  '{host}',
  '}}',
  '{{',
  "a'b",
  'a\nb',
  'a\r\nX: y',
  '\u0000',
  '$',
  '${',
  '$1',
  '$host',
  '$cookie_a',
  '~^(.+)$ /$1',
  '(((',
  'a b',
  '*',
  'https://*.x.test',
  'x.test',
  '*.x.test',
  '',
  'error timeout',
  'http_502',
  'Strict',
  'GET, POST',
  'X-One,X-Two',
  'ssl-client-verify',
  '99999999999',
  '/.*',
  '{ou: x}',
];

const value = fc.oneof(
  fc.constantFrom(...written),
  fc.string({ maxLength: 40, unit: 'binary' }),
  fc.string({ maxLength: 40, unit: 'grapheme-ascii' }),
);

const keys = [...annotationsByKey.keys()];
const annotations = fc.dictionary(fc.constantFrom(...keys), value, { maxKeys: 6 });
const paths = fc.constantFrom(
  '/',
  '/x',
  '/x/',
  '/x/(.*)',
  '/y(/|$)(.*)',
  '/a|/b',
  '/(?=z)',
  '/%2e%2e',
  '/{x}',
);
const pathTypes = fc.constantFrom('Exact', 'Prefix', 'ImplementationSpecific');
const settings = fc.dictionary(fc.constantFrom(...settingsByKey.keys()), value, { maxKeys: 3 });

const secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 's' },
  stringData: {
    'ca.crt': pem.values['CA'],
    'tls.crt': pem.values['CERT'],
    'tls.key': pem.values['KEY'],
    auth: 'u:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n',
  },
};

function ingress(name: string, given: object, path: string, pathType: string): object {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, annotations: given },
    spec: {
      rules: [
        {
          host: 'a.test',
          http: { paths: [{ path, pathType, backend: { service: { name: 'web', port: { number: 80 } } } }] },
        },
      ],
    },
  };
}

function translated(...objects: object[]): Translation {
  const resolve = new Map([['default/web', ['10.0.0.1:8080']]]);
  const read = objects.flatMap((data) => {
    const result = readObject(data, { at: () => 'fuzz' });
    return 'object' in result ? [result.object] : [];
  });
  return translate(read, options(pem, { resolve }));
}

function configMap(data: object): object {
  const metadata = { name: 'ingress-nginx-controller', namespace: 'ingress-nginx' };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data };
}

void t.test('whatever annotations say, what comes out can be served', async (t) => {
  fc.assert(
    fc.property(annotations, annotations, paths, paths, pathTypes, settings, (one, two, p, q, type, data) => {
      const { config, material } = translated(
        ingress('one', one, p, type),
        ingress('two', two, q, 'Prefix'),
        secret,
        configMap(data),
      );
      const shape = checkShape(config);
      if (shape.length > 0) throw new Error(JSON.stringify(shape));
      const rules = checkRules(config).filter(({ severity }) => severity === 'error');
      if (rules.length > 0) throw new Error(JSON.stringify(rules));
      const compiled = compile(config, material);
      if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
    }),
    { numRuns: 1500 },
  );
  t.pass('they all compiled');
});

const isRefused = (route: RouteConfig): boolean =>
  route.respond?.status === 503 || route.respond?.status === 403;

void t.test('a check that cannot be read refuses every path of its Ingress', async (t) => {
  const checks = keys.filter((key) => annotationsByKey.get(key)!.restricts);
  let refused = 0;
  fc.assert(
    fc.property(fc.constantFrom(...checks), value, annotations, paths, (key, text, others, path) => {
      const declared: Annotation = annotationsByKey.get(key)!;
      if (text.trim() === declared.default) return;
      const isBad = 'problem' in declared.type.parse(text.trim()) || declared.state.is === 'refused';
      if (!isBad) return;
      const { config, problems } = translated(
        ingress('one', { ...others, [key]: text }, path, 'Prefix'),
        secret,
      );
      const routes = config.hosts
        .filter(({ names }) => names.includes('a.test'))
        .flatMap((host) => host.routes);
      const open = routes.filter((route) => !isRefused(route) && route.respond?.status !== 404);
      if (open.length > 0) throw new Error(JSON.stringify(open));
      if (problems.length === 0) throw new Error('nobody is told');
      refused++;
    }),
    { numRuns: 1500 },
  );
  t.ok(refused > 300, `${refused} were refused`);
});

void t.test('a check that can be read is there, whatever stands beside it', async (t) => {
  const checks: [name: string, text: string, holds: (route: RouteConfig) => boolean][] = [
    ['allowlist-source-range', '10.0.0.0/8', ({ access }) => access?.allow?.join() === '10.0.0.0/8'],
    ['denylist-source-range', '10.0.0.0/8', ({ access }) => access?.deny?.includes('10.0.0.0/8') === true],
    ['auth-url', 'http://x.test/', ({ access }) => access?.external !== undefined],
    ['limit-rps', '7', ({ rateLimit }) => rateLimit?.perSecond === 7],
    ['limit-connections', '7', ({ rateLimit }) => rateLimit?.connections === 7],
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...checks),
      annotations,
      paths,
      pathTypes,
      ([name, text, holds], others, path, type) => {
        const aliases = new Set(
          annotationsByKey.get(nginxPrefix + name)!.aliases.map((alias) => nginxPrefix + alias),
        );
        const given = Object.fromEntries(Object.entries(others).filter(([key]) => !aliases.has(key)));
        const { config } = translated(
          ingress('one', { ...given, [nginxPrefix + name]: text }, path, type),
          secret,
        );
        const routes = config.hosts
          .filter(({ names }) => names.includes('a.test'))
          .flatMap((host) => host.routes);
        const open = routes.filter(
          (route) => route.upstream !== undefined && !isRefused(route) && !holds(route),
        );
        if (open.length > 0) throw new Error(JSON.stringify(open));
      },
    ),
    { numRuns: 1000 },
  );
  t.pass('none was lost');
});
