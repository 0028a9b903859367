import type { ClientCertificate } from '../support/client.ts';
import type { Case } from './observe.ts';

const basic = (user: string, password: string): string =>
  `Authorization: Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

interface Ask {
  readonly method?: string;
  readonly headers?: readonly string[];
  readonly body?: string;
  /** What tells this case from others of the same target. */
  readonly note?: string;
}

/** Every request of the comparison. */
export function ingressCases(
  certificates: Readonly<Record<'good' | 'other' | 'foreign', ClientCertificate>>,
): Case[] {
  const cases: Case[] = [];
  const ask = (
    scheme: 'http' | 'https',
    host: string,
    target: string,
    { method = 'GET', headers = [], body = '', note = '' }: Ask = {},
    certificate: ClientCertificate | null = null,
  ): void => {
    const lines = [`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...headers];
    if (body !== '') lines.push(`Content-Length: ${body.length}`);
    cases.push({
      title: `${method} ${scheme}://${host}${target}${note === '' ? '' : `, ${note}`}`,
      ...(scheme === 'http' ? { plain: true as const } : { serverName: host }),
      certificate,
      bytes: `${lines.join('\r\n')}\r\n\r\n${body}`,
    });
  };
  const both = (host: string, target: string, more: Ask = {}): void => {
    ask('http', host, target, more);
    ask('https', host, target, more);
  };

  for (const target of [
    '/',
    '/exact',
    '/exact/',
    '/exact/slash',
    '/exact/slash/',
    '/exact/slash/x',
    '/exactly',
    '/EXACT',
    '/prefix',
    '/prefix/',
    '/prefix/a',
    '/prefixed',
    '/prefix/deeper',
    '/prefix/deeper/',
    '/prefix/deeper/x',
    '/prefix/deepest',
    '/prefix/exact',
    '/prefix/exact/',
    '/pslash',
    '/pslash/',
    '/pslash/x',
    '/pslashed',
    '/raw',
    '/raw/',
    '/rawest',
    '/raw/x',
    '/Raw',
    '/rslash',
    '/rslash/',
    '/rslash/x',
    '/rslashed',
    '/both',
    '/both/',
    '/both/x',
    '/bother',
    '/unknown',
    '/exact?a=1',
    '/prefix?a=/exact',
    '/prefix/?',
    '/rslash?q=1',
    '/%65xact',
    '/prefix/%2e%2e/exact',
    '/prefix/../exact',
    '//exact',
    '/./exact',
    '/prefix//a',
    '/raw%2Fx',
    '/prefix%2Fa',
    '/prefix/a%20b',
    '/prefix/%C3%A9',
    '/prefix/a+b',
    '/prefix/;a=b',
    '/prefix/a,b',
    '/unknown/../raw',
  ]) {
    both('paths.test', target);
  }
  for (const target of [
    '/',
    '/a',
    '/a?b=c',
    '/?',
    '/a/./b',
    '/a%2fb',
    '/~user',
    '/a:b',
    '/*',
    "/'a'",
    '/a|b',
  ]) {
    both('all.test', target);
  }
  for (const method of ['HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'POST']) {
    both('all.test', '/method', { method, ...(method[0] === 'P' ? { body: 'hello' } : {}) });
  }
  for (const host of [
    'x.wild.test',
    'a.b.wild.test',
    'wild.test',
    'name.wild.test',
    'NAME.wild.test',
    'unknown.test',
  ]) {
    for (const target of ['/', '/only', '/other']) both(host, target);
  }
  for (const target of [
    '/foo/abc',
    '/foo/abc/d',
    '/FOO/abc',
    '/foo/123',
    '/foo/',
    '/id/12',
    '/id/12/',
    '/id/x',
    '/ID/7',
    '/plain',
    '/plain/x',
    '/plainly',
    '/PLAIN',
    '/caps',
    '/Caps',
    '/caps/x',
    '/beside',
    '/besides',
    '/BESIDE/x',
    '/',
    '/none',
    '/x/foo/abc',
    '/foo/../id/3',
    '//foo/abc',
    '/foo/a%20b',
  ]) {
    both('regex.test', target);
  }
  for (const target of [
    '/api',
    '/api/',
    '/api/a',
    '/api/a/b?c=d',
    '/API/a',
    '/apix',
    '/api?x=1',
    '/api/a%20b',
    '/api/a%2Fb',
    '/api//a',
    '/x/one',
    '/x/one/two',
    '/X/one?q=1',
    '/x/',
    '/other',
    '/api/%C3%A9',
    '/api/?',
    '/api/a+b',
    '/api/a%3Fb',
    '/api/a%23b',
  ]) {
    both('rewrite.test', target);
  }
  for (const target of ['/', '/?a=1', '/app', '/app/x', '//', '/./']) both('root.test', target);
  for (const host of ['permanent.test', 'permanent308.test', 'temporal.test']) {
    for (const target of ['/', '/a/b?c=d', '/a%20b']) both(host, target);
    both(host, '/post', { method: 'POST', body: 'x' });
  }
  for (const host of ['bare.test', 'www.bare.test', 'dressed.test', 'www.dressed.test']) {
    for (const target of ['/', '/a?b=c', '/a/', '/a/?b=c', '/?b=c']) both(host, target);
  }
  for (const host of ['alias.test', 'alias1.test', 'alias2.test', 'alias3.test']) both(host, '/');
  both('vhost.test', '/x');
  for (const host of ['tls.test', 'keep.test', 'plain.test', 'force.test']) {
    for (const target of ['/', '/a', '/a/', '/a/?b=c', '/a?b=/']) both(host, target);
  }
  for (const host of ['some.test', 'some-tls.test', 'some-open.test', 'some-forced.test']) {
    for (const target of ['/only', '/unknown', '/unknown/?a=b']) both(host, target);
  }
  for (const host of ['allowed.test', 'refused.test', 'denied.test']) {
    for (const target of ['/', '/a']) both(host, target);
    both(host, '/forged', {
      headers: ['X-Forwarded-For: 10.1.1.1', 'X-Real-IP: 10.1.1.1'],
      note: 'forged address',
    });
  }
  for (const host of ['users.test', 'any.test']) {
    both(host, '/');
    both(host, '/', { headers: [basic('admin', 'wrong')], note: 'wrong password' });
    both(host, '/', { headers: [basic('sha', 'test')], note: 'another wrong password' });
    both(host, '/', { headers: [basic('sha', 'password')], note: 'SHA' });
    both(host, '/', { headers: [basic('nobody', 'password')], note: 'unknown user' });
    both(host, '/', { headers: ['Authorization: Bearer abc'], note: 'another scheme' });
    both(host, '/', { headers: ['Authorization: Basic !!!'], note: 'no base64' });
  }
  for (const size of [0, 1, 1023, 1024, 1025, 5000]) {
    both('small.test', '/', { method: 'POST', body: 'x'.repeat(size), note: `${size} bytes` });
  }
  both('unlimited.test', '/', { method: 'POST', body: 'x'.repeat(2 ** 21), note: '2 MiB' });
  both('all.test', '/', { method: 'POST', body: 'x'.repeat(2 ** 20 + 1), note: 'over 1 MiB' });
  for (const host of ['cors.test', 'cors-list.test']) {
    for (const origin of [
      null,
      'https://one.example',
      'https://a.two.example',
      'https://two.example',
      'http://one.example',
      'https://one.example.evil',
      'null',
    ]) {
      const headers = origin === null ? [] : [`Origin: ${origin}`];
      const noteOf = origin === null ? 'no origin' : `origin ${origin}${origin === 'null' ? ', sent' : ''}`;
      ask('https', host, '/', { headers, note: noteOf });
      ask('https', host, '/', {
        method: 'OPTIONS',
        headers: [...headers, 'Access-Control-Request-Method: POST'],
        note: `preflight, ${noteOf}`,
      });
    }
  }
  for (const host of ['on.test', 'optional.test', 'noca.test', 'off.test', 'cn.test']) {
    ask('http', host, '/a');
    for (const [name, certificate] of Object.entries({ no: null, ...certificates })) {
      ask('https', host, '/a', { note: `${name} certificate` }, certificate);
      ask('https', host, '/a', { method: 'POST', body: 'x', note: `${name} certificate` }, certificate);
      const forged = ['ssl-client-verify: SUCCESS', 'ssl-client-subject-dn: CN=admin', 'ssl-client-cert: x'];
      ask('https', host, '/a', { headers: forged, note: `${name} certificate, forged headers` }, certificate);
    }
  }
  for (const header of [
    'X-Forwarded-Proto: https',
    'X-Forwarded-Host: evil.test',
    'X-Request-ID: abc',
    'X-Under_score: 1',
    'Proxy: http://evil',
  ]) {
    both('all.test', '/headers', { headers: [header], note: header });
  }
  return cases;
}
