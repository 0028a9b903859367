import { existsSync } from 'node:fs';
import t from 'tap';
import { request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { headersMore, type HostSpec } from './hosts.ts';
import { startSides } from './sides.ts';

// enable-cors as ingress-nginx's template writes it, and a route's `cors`: what browsers see of both.

const page = 'https://a.example';
const ca = await createAuthority({ cn: 'CA' });
const server = await ca.issue({ cn: 'server', hosts: ['*.cors.test'], usage: 'server' });
const certificate = await ca.issue({ cn: 'client' });
const files = { 'server.pem': server.bundle, 'server.key': server.key, 'ca.pem': ca.cert };
const origins = [page, 'https://*.b.example:8443'];
const hosts: readonly HostSpec[] = [
  { name: 'some.cors.test', clientAuth: { verify: 'optional', ca: 'ca.pem' }, cors: origins },
  { name: 'any.cors.test', clientAuth: { verify: 'optional', ca: 'ca.pem' }, cors: ['*'] },
  { name: 'must.cors.test', clientAuth: { verify: 'on', ca: 'ca.pem' }, cors: origins },
];

const skip =
  process.env['CI'] !== 'true' && !existsSync(headersMore)
    ? 'needs nginx with the headers-more module'
    : false;

await t.test('preflights and answers say what they say behind nginx', { skip }, async (t) => {
  const sides = await startSides(t, hosts, files);
  const ask = async (host: string, origin: string | null, method: 'OPTIONS' | 'GET', verified = true) => {
    const seen = async (port: number): Promise<Record<string, string | number>> => {
      const headers = origin === null ? [] : [`Origin: ${origin}`];
      if (method === 'OPTIONS') headers.push('Access-Control-Request-Method: PUT');
      const { status, headers: given } = await request({
        port,
        host,
        serverName: host,
        method,
        headers,
        certificate: verified ? certificate : null,
      });
      const cors = Object.entries(given).filter(([name]) => name.startsWith('access-control-'));
      return { status, ...Object.fromEntries(cors) };
    };
    const [nginx, ours] = await Promise.all([seen(sides.nginx), seen(sides.ours)]);
    return { nginx, ours };
  };
  /** nginx says them with every answer; browsers look at them in a preflight's alone. */
  const preflightOnly = ['methods', 'headers'].map((name) => `access-control-allow-${name}`);
  preflightOnly.push('access-control-max-age');
  const without = (facts: Record<string, string | number>, ...names: string[]) =>
    Object.fromEntries(Object.entries(facts).filter(([name]) => !names.includes(name)));
  const credentials = 'access-control-allow-credentials';

  for (const origin of [page, 'https://x.b.example:8443']) {
    const preflight = await ask('some.cors.test', origin, 'OPTIONS');
    t.match(preflight.nginx, { status: 204, 'access-control-allow-origin': origin, [credentials]: 'true' });
    t.same(preflight.ours, preflight.nginx, `a preflight of ${origin}`);
    const answer = await ask('some.cors.test', origin, 'GET');
    t.match(answer.nginx, { status: 200, 'access-control-allow-origin': origin });
    t.same(answer.ours, without(answer.nginx, ...preflightOnly), `an answer to ${origin}`);
  }

  const others = [
    'null',
    `${page}.evil`,
    'https://evil.example',
    'https://x.y.b.example:8443',
    'https://x.b.example',
  ];
  for (const origin of others) {
    const answer = await ask('some.cors.test', origin, 'GET');
    t.same(answer.ours, { status: 200 }, `an answer to ${origin}`);
    t.same(answer.nginx, answer.ours);
    const preflight = await ask('some.cors.test', origin, 'OPTIONS');
    t.same(preflight.nginx, { status: 200 }, 'nginx passes the preflight of another origin on');
    t.same(preflight.ours, { status: 204 }, 'we answer it with nothing');
  }

  for (const origin of [page, 'null', 'https://evil.example']) {
    const preflight = await ask('any.cors.test', origin, 'OPTIONS');
    t.match(preflight.nginx, { status: 204, 'access-control-allow-origin': '*', [credentials]: 'true' });
    t.same(preflight.ours, without(preflight.nginx, credentials), 'credentials mean nothing beside `*`');
  }

  const bare = await ask('must.cors.test', page, 'OPTIONS', false);
  t.same(
    bare.nginx,
    { status: 400 },
    'nginx demands a certificate of a preflight, which browsers never show',
  );
  t.match(bare.ours, { status: 204, 'access-control-allow-origin': page });
  const refused = await ask('must.cors.test', page, 'GET', false);
  t.same(refused.ours, { status: 400 });
  t.same(refused.nginx, refused.ours);
});
