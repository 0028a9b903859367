import t from 'tap';
import {
  formatClosingAnswer,
  formatHead,
  renderAnswer,
  type AnswerFacts,
} from '../../../src/proxy/answer.ts';

const facts: AnswerFacts = {
  reason: 'no_certificate',
  status: 400,
  requestId: 'abc',
  accept: null,
  location: null,
};

function typeFor(accept: string | null): string {
  const { headers } = renderAnswer({ ...facts, accept });
  return (headers[headers.indexOf('Content-Type') + 1] ?? '').split(';')[0] ?? '';
}

await t.test('the page is laid out as nginx does and names the reason and the id', async (t) => {
  t.equal(
    renderAnswer(facts).body.toString(),
    [
      '<html>',
      '<head><title>400 No required SSL certificate was sent</title></head>',
      '<body>',
      '<center><h1>400 Bad Request</h1></center>',
      '<center>No required SSL certificate was sent</center>',
      '<hr><center>abc</center>',
      '</body>',
      '</html>',
      '',
    ].join('\r\n'),
  );
});

await t.test('JSON for clients that ask for it, the page for everyone else', async (t) => {
  const cases: [string | null, string][] = [
    [null, 'text/html'],
    ['*/*', 'text/html'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'text/html'],
    ['application/json', 'application/json'],
    ['application/json, text/plain, */*', 'application/json'],
    ['APPLICATION/JSON;Q=0.5', 'application/json'],
    ['application/problem+json', 'application/json'],
    ['text/html, application/json;q=0.9', 'text/html'],
    ['application/json;q=0', 'text/html'],
    ['application/json;q=nonsense', 'text/html'],
    ['application/jsonp', 'text/html'],
    [`${'x/y,'.repeat(10_000)}application/json`, 'text/html'],
  ];
  for (const [accept, expected] of cases) t.equal(typeFor(accept), expected, String(accept).slice(0, 60));
});

await t.test('the JSON body holds status, message and id, and nothing else', async (t) => {
  const answer = renderAnswer({ ...facts, accept: 'application/json' });
  t.same(JSON.parse(answer.body.toString()), {
    status: 400,
    error: 'No required SSL certificate was sent',
    requestId: 'abc',
  });
});

await t.test('an id with markup in it stays text', async (t) => {
  const answer = renderAnswer({ ...facts, requestId: '<script>"&\'' });
  t.match(answer.body.toString(), '<hr><center>&lt;script&gt;&quot;&amp;&#39;</center>');
});

await t.test('a redirect carries its location, a 405 the methods that are allowed', async (t) => {
  const redirect = renderAnswer({
    ...facts,
    reason: 'redirect_https',
    status: 308,
    location: 'https://a.test/',
  });
  t.equal(redirect.headers[redirect.headers.indexOf('Location') + 1], 'https://a.test/');
  const refused = renderAnswer({ ...facts, reason: 'method_refused', status: 405 });
  t.ok(refused.headers.includes('Allow'));
});

await t.test('a header that would break out of its line is never written', async (t) => {
  for (const value of ['a\r\nSet-Cookie: x', 'a\nb', 'a\rb', 'a\0b', 'a\u0100b']) {
    t.throws(() => formatHead(200, ['X', value]), TypeError, JSON.stringify(value));
  }
});

await t.test('a closing answer is one whole message', async (t) => {
  const text = formatClosingAnswer(renderAnswer(facts)).toString('latin1');
  const [head = '', body = ''] = text.split('\r\n\r\n');
  t.match(head, /^HTTP\/1\.1 400 Bad Request\r\n/);
  t.match(head, /\r\nConnection: close\r\n/);
  t.match(head, /\r\nCache-Control: no-store\r\n/);
  t.match(head, new RegExp(`\r\nContent-Length: ${Buffer.byteLength(body)}$`));
});

await t.test('an answer with no content has no body, no type and no length', async (t) => {
  for (const status of [204, 304]) {
    const answer = renderAnswer({ ...facts, reason: 'route_answer', status });
    t.equal(answer.body.length, 0);
    t.notOk(
      answer.headers.includes('Content-Type') || answer.headers.includes('Content-Length'),
      `${status}`,
    );
  }
});
