import t from 'tap';
import { createAuthority } from '../support/pki.ts';
import { needs } from '../support/program.ts';
import { judge } from './difference.ts';
import { familyDifferences } from './ingress-families-differences.ts';
import { ingress, service } from './ingress-manifests.ts';
import { bothWays, startIngressSides } from './ingress-sides.ts';
import type { Case } from './observe.ts';
import { startEchoBackend } from './sides.ts';

// Families beyond paths and redirects: canaries, affinity, external authentication, headers of answers, error pages.

const hosts = [
  ingress('custom.test', { annotations: { 'custom-headers': 'default/added' } }),
  ingress('slow.test', { annotations: { 'proxy-read-timeout': '1', 'proxy-next-upstream-tries': '1' } }),
  ingress('dead.test', { service: 'dead' }),
  ingress('exempt.test', {
    annotations: { 'limit-rpm': '1', 'limit-burst-multiplier': '1', 'limit-allowlist': '127.0.0.0/8' },
  }),
  ingress('cookies.test', {
    annotations: {
      'proxy-cookie-domain': 'inner.test outer.test',
      'proxy-cookie-path': '/a /b',
      'proxy-redirect-from': 'http://inner.test/',
      'proxy-redirect-to': 'https://outer.test/',
    },
  }),
  ingress('sticky.test', { annotations: { affinity: 'cookie' }, paths: [['/in', 'Prefix']] }),
  ingress('sticky2.test', {
    annotations: {
      affinity: 'cookie',
      'session-cookie-name': 'route',
      'session-cookie-max-age': '60',
      'session-cookie-domain': 'sticky2.test',
      'session-cookie-path': '/x',
      'session-cookie-samesite': 'Strict',
      'session-cookie-secure': 'true',
    },
  }),
  ...['header', 'value', 'pattern', 'cookie', 'weight'].flatMap((kind) => {
    const how: Record<string, Record<string, string>> = {
      header: { 'canary-by-header': 'X-Canary' },
      value: {
        'canary-by-header': 'X-Canary',
        'canary-by-header-value': 'yes',
        'canary-by-cookie': 'canary',
      },
      pattern: { 'canary-by-header': 'X-Canary', 'canary-by-header-pattern': '^v[0-9]+$' },
      cookie: { 'canary-by-cookie': 'canary', 'canary-by-header': 'X-Canary' },
      weight: { 'canary-weight': '100', 'canary-by-header': 'X-Canary' },
    };
    const host = `canary-${kind}.test`;
    return [
      ingress(host, {}),
      ingress(host, { name: `${host}-2`, service: 'other', annotations: { canary: 'true', ...how[kind] } }),
    ];
  }),
  ingress('auth.test', {
    annotations: {
      'auth-url': 'http://judge.default.svc.cluster.local/check',
      'auth-response-headers': 'X-User, X-Absent',
    },
  }),
  ingress('signin.test', {
    annotations: {
      'auth-url': 'http://judge.default.svc.cluster.local/check',
      'auth-signin': 'https://login.test/start',
      'auth-always-set-cookie': 'true',
    },
  }),
  ingress('plain-signin.test', {
    annotations: {
      'auth-url': 'http://judge.default.svc.cluster.local/check',
      'auth-signin': 'https://login.test/start?from=us',
      'auth-signin-redirect-param': 'back',
      'auth-response-headers': 'X-User',
      'auth-method': 'POST',
      'auth-proxy-set-headers': 'default/asked',
      'auth-request-redirect': '/fixed',
    },
  }),
  ingress('errors.test', { annotations: { 'custom-http-errors': '404,503', 'default-backend': 'pages' } }),
];

await t.test('families of annotations do what they do under nginx', needs('nginx', '-v'), async (t) => {
  const root = await createAuthority({ cn: 'Root' });
  const server = await root.issue({ cn: 'server', hosts: ['custom.test'], usage: 'server' });
  const say = ['location', 'set-cookie', 'x-told-one'];
  const app = await startEchoBackend(t, (request, response) => {
    for (const name of say) {
      const value = request.headers[`x-say-${name}`];
      if (typeof value === 'string') response.setHeader(name, value);
    }
    if (request.headers['x-say-status'] !== undefined) {
      response.statusCode = Number(request.headers['x-say-status']);
    }
    if (request.headers['x-hold'] !== undefined) response.end = () => response;
  });
  const other = await startEchoBackend(t, (_, response) => response.setHeader('x-told-side', 'other'));
  const pages = await startEchoBackend(t, (request, response) => {
    response.statusCode = Number(request.headers['x-code'] ?? 404);
    response.setHeader('x-told-side', 'pages');
  });
  const judges = await startEchoBackend(t, (request, response) => {
    const said = String(request.headers['x-judge'] ?? '401');
    response.statusCode = Number(said);
    const { url, method, headers } = request;
    const told = [
      'x-original-url',
      'x-original-method',
      'x-auth-request-redirect',
      'x-from',
      'content-length',
    ];
    response.setHeader('x-user', JSON.stringify([method, url, ...told.map((name) => headers[name] ?? null)]));
    response.setHeader('set-cookie', 'session=1');
    response.removeHeader('x-upstream');
  });
  const sides = await startIngressSides(t, {
    objects: [...hosts, service('pages')],
    files: { 'server.pem': server.bundle, 'server.key': server.key },
    services: {
      'default/app': [app.endpoint],
      'default/other': [other.endpoint],
      'default/pages': [pages.endpoint],
      'default/judge': [judges.endpoint],
      'default/dead': ['127.0.0.1:1'],
    },
    settings: { 'global-allowed-response-headers': 'X-Told-One,X-Told-Two' },
    configMaps: {
      'default/added': { 'X-Told-One': 'one', 'X-Told-Two': 'two, three' },
      'default/asked': { 'X-From': 'proxy' },
    },
    targets: ['/a?b=c', '/'],
  });
  const cases: Case[] = [];
  const ask = (...request: Parameters<typeof bothWays>): void => void cases.push(...bothWays(...request));
  ask('custom.test', '/');
  ask('custom.test', '/', ['X-Say-X-Told-One: mine']);
  ask('slow.test', '/', ['X-Hold: 1']);
  ask('dead.test', '/');
  for (const _ of [1, 2, 3]) ask('exempt.test', '/');
  for (const cookie of [
    'a=1; Domain=inner.test; Path=/a',
    'a=1; Path=/a/x',
    'a=1; Domain=x.inner.test',
    'a=1',
  ]) {
    ask('cookies.test', '/', [`X-Say-Set-Cookie: ${cookie}`]);
  }
  for (const to of ['http://inner.test/x?y', 'http://inner.test', 'http://other.test/', '/x']) {
    ask('cookies.test', '/', [`X-Say-Location: ${to}`]);
  }
  ask('sticky.test', '/in/x');
  ask('sticky2.test', '/');
  for (const kind of ['header', 'value', 'pattern', 'cookie', 'weight']) {
    for (const value of [null, 'always', 'never', 'yes', 'v12', 'xv12', 'Always', '']) {
      const headers = value === null ? [] : [`X-Canary: ${value}`];
      ask(`canary-${kind}.test`, '/', headers);
      for (const cookie of ['always', 'never', 'x']) {
        ask(`canary-${kind}.test`, '/', [...headers, `Cookie: canary=${cookie}`]);
      }
    }
  }
  ask('auth.test', '/', ['X-Judge: 200', 'X-Say-Status: 404']);
  ask('auth.test', '/', ['X-Judge: 200', 'X-Say-Status: 500', 'X-Say-Set-Cookie: own=1']);
  for (const host of ['auth.test', 'signin.test', 'plain-signin.test']) {
    for (const said of ['200', '202', '401', '403', '404', '500', '302']) {
      ask(host, '/a?b=c', [`X-Judge: ${said}`]);
      ask(host, '/', [`X-Judge: ${said}`, 'X-User: forged'], { method: 'HEAD' });
    }
  }
  for (const status of ['200', '404', '500', '503']) {
    ask('errors.test', '/x?y', [`X-Say-Status: ${status}`, 'Accept: text/html']);
    ask('errors.test', '/x', [`X-Say-Status: ${status}`], { method: 'HEAD' });
  }
  judge(t, await sides.play(cases), familyDifferences);
});
