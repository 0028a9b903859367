import t, { type Test } from 'tap';
import { createAuthority } from '../support/pki.ts';
import { needs } from '../support/program.ts';
import { judge } from './difference.ts';
import { ingress, service, type KubernetesJson } from './ingress-manifests.ts';
import { settingDifferences, type World } from './ingress-settings-differences.ts';
import { bothWays, type IngressWorld, startIngressSides } from './ingress-sides.ts';
import type { Case } from './observe.ts';
import { startEchoBackend } from './sides.ts';

// What the controller's ConfigMap says of everything that it serves.

const root = await createAuthority({ cn: 'Root' });
const server = await root.issue({ cn: 'server', hosts: ['tls.test', 'own.test'], usage: 'server' });
const pki: KubernetesJson = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'pki' },
  stringData: { 'tls.crt': server.bundle, 'tls.key': server.key },
};
const hosts = [
  ingress('open.test', {}),
  ingress('tls.test', { tls: true }),
  ingress('forced.test', { annotations: { 'force-ssl-redirect': 'true' } }),
  ingress('near.test', { annotations: { 'whitelist-source-range': '203.0.113.0/24' } }),
  ingress('own.test', { tls: true, annotations: { 'proxy-body-size': '2k', 'ssl-redirect': 'true' } }),
];

/** Plays the cases to both sides with these settings. */
async function play(
  t: Test,
  world: World,
  cases: readonly Case[],
  { settings, ...rest }: Pick<IngressWorld, 'settings' | 'configMaps' | 'flags'>,
): Promise<void> {
  const app = await startEchoBackend(t, ({ headers }, response) => {
    for (const name of ['x-told-hidden', 'x-told-shown']) response.setHeader(name, 'yes');
    response.statusCode = Number(headers['x-say-status'] ?? 200);
  });
  const pages = await startEchoBackend(t, (request, response) => {
    response.statusCode = Number(request.headers['x-code']);
    response.setHeader('x-told-side', 'pages');
  });
  const sides = await startIngressSides(t, {
    objects: [pki, ...hosts, service('pages')],
    files: { 'server.pem': server.bundle, 'server.key': server.key },
    services: { 'default/app': [app.endpoint], 'default/pages': [pages.endpoint] },
    settings: settings!,
    ...rest,
  });
  judge(t, await sides.play(cases), settingDifferences[world]);
}

const told: readonly (readonly string[])[] = [
  [],
  ['X-Forwarded-For: 203.0.113.7'],
  ['X-Forwarded-For: 198.51.100.1, 203.0.113.7, 127.0.0.9'],
  ['X-Forwarded-For: 203.0.113.7, 198.51.100.1'],
  ['X-Forwarded-For: nonsense'],
  ['X-Forwarded-For: 203.0.113.7', 'X-Forwarded-For: 127.0.0.8'],
  ['X-Forwarded-For: 2001:db8::1'],
  ['X-Forwarded-Proto: https'],
  ['X-Forwarded-Proto: http'],
  ['X-Forwarded-Proto: gopher'],
  ['X-Forwarded-Port: 8443'],
  ['X-Forwarded-Host: outer.test'],
  ['X-Forwarded-Host: outer.test:8443, middle.test'],
  [
    'X-Forwarded-For: 203.0.113.7',
    'X-Forwarded-Proto: https',
    'X-Forwarded-Port: 443',
    'X-Forwarded-Host: o.test',
  ],
];
const allHosts = ['open.test', 'tls.test', 'forced.test', 'near.test'];
const toldCases = told.flatMap((headers) => allHosts.flatMap((host) => bothWays(host, '/a?b', headers)));

await t.test('settings of the controller do what they do under nginx', needs('nginx', '-v'), async (t) => {
  const proxies = { 'use-forwarded-headers': 'true', 'proxy-real-ip-cidr': '127.0.0.0/8,10.0.0.0/8' };
  await t.test('X-Forwarded-* of a trusted proxy', (t) =>
    play(t, 'forwarded', toldCases, { settings: proxies }),
  );
  await t.test('the same, with every address', (t) =>
    play(t, 'full', toldCases, { settings: { ...proxies, 'compute-full-forwarded-for': 'true' } }),
  );
  await t.test('X-Forwarded-* of somebody else', (t) =>
    play(t, 'untrusted', toldCases, { settings: { ...proxies, 'proxy-real-ip-cidr': '10.0.0.0/8' } }),
  );
  await t.test('X-Forwarded-* where nobody is believed', (t) =>
    play(t, 'nobody', toldCases, { settings: {} }),
  );

  const proxy = (line: string, host: string, headers: readonly string[] = []): Case => ({
    title: `GET http://${host}/, ${[line, ...headers].join(', ')}`,
    plain: true,
    bytes: `${[line, 'GET / HTTP/1.1', `Host: ${host}`, ...headers].join('\r\n')}\r\n\r\n`,
  });
  const lines = ['TCP4 203.0.113.7 192.0.2.1 5000 80', 'TCP4 198.51.100.1 192.0.2.1 5000 443', 'UNKNOWN'];
  const opened = [...lines, 'TCP6 2001:db8::1 2001:db8::2 5000 80'].flatMap((line) =>
    allHosts.flatMap((host) =>
      [[], ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-Proto: https']].map((headers) =>
        proxy(`PROXY ${line}`, host, headers),
      ),
    ),
  );
  await t.test('a PROXY header', (t) =>
    play(t, 'proxy', opened, {
      settings: { 'use-proxy-protocol': 'true', 'proxy-real-ip-cidr': '127.0.0.0/8' },
    }),
  );

  const post = (host: string, bytes: number): Case[] =>
    bothWays(host, '/', [`Content-Length: ${bytes}`], { method: 'POST', body: 'x'.repeat(bytes) });
  const general = ['open.test', 'tls.test', 'own.test'].flatMap((host) => [
    ...bothWays(host, '/a/?b'),
    ...bothWays(host, '/', ['X_Under: 1', 'X-Under: 2']),
    ...[404, 500, 503].flatMap((status) =>
      bothWays(host, '/a', [`X-Say-Status: ${status}`, 'Accept: text/css']),
    ),
    ...[1024, 1025, 2048, 2049].flatMap((bytes) => post(host, bytes)),
  ]);
  await t.test('limits, redirects, HSTS and error pages', (t) =>
    play(t, 'general', general, {
      settings: {
        'proxy-body-size': '1k',
        'ssl-redirect': 'false',
        'http-redirect-code': '301',
        'hsts-max-age': '60',
        'hsts-include-subdomains': 'false',
        'hsts-preload': 'true',
        'custom-http-errors': '404,503',
      },
      flags: { 'default-backend-service': 'default/pages' },
    }),
  );
  await t.test('headers for everyone', (t) =>
    play(t, 'headers', general, {
      settings: {
        hsts: 'false',
        'add-headers': 'default/added',
        'proxy-set-headers': 'default/set',
        'hide-headers': 'x-told-hidden',
        'enable-underscores-in-headers': 'true',
      },
      configMaps: {
        'default/added': { 'X-Told-Added': 'to answers' },
        'default/set': { 'X-Set': 'for upstreams' },
      },
    }),
  );
});
