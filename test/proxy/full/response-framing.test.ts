import t from 'tap';
import { frameResponse } from '../../../src/proxy/full/response-framing.ts';

const planned = ['Content-Type', 'text/plain'];

await t.test('a length is passed on, once and last', async (t) => {
  t.same(frameResponse('GET', 200, planned, ['content-length', '5']), {
    headers: [...planned, 'Content-Length', '5'],
    length: 5,
    bodyless: false,
  });
  t.same(
    frameResponse('GET', 200, planned, ['Content-Length', '5', 'CONTENT-LENGTH', '5'])?.headers,
    [...planned, 'Content-Length', '5'],
    'the same length twice is one',
  );
});

await t.test('without a length the body ends where the upstream says', async (t) => {
  for (const raw of [[], ['Transfer-Encoding', 'chunked'], ['transfer-encoding', ' Chunked ']]) {
    t.same(frameResponse('GET', 200, planned, raw), { headers: planned, length: null, bodyless: false });
  }
});

await t.test('HEAD and 304 tell the length of what they do not send; 204 tells none', async (t) => {
  const raw = ['Content-Length', '5'];
  t.same(frameResponse('HEAD', 200, planned, raw), {
    headers: [...planned, 'Content-Length', '5'],
    length: 0,
    bodyless: true,
  });
  t.same(frameResponse('GET', 304, planned, raw)?.headers, [...planned, 'Content-Length', '5']);
  t.same(frameResponse('GET', 204, planned, raw), { headers: planned, length: 0, bodyless: true });
});

await t.test('framing that can be read in two ways is no response', async (t) => {
  const cases = [
    ['Content-Length', '5', 'Content-Length', '6'],
    ['Content-Length', '5, 5'],
    ['Content-Length', '+5'],
    ['Content-Length', '5 '.repeat(2)],
    ['Content-Length', ''],
    ['Content-Length', '9'.repeat(16)],
    ['Content-Length', '5', 'Transfer-Encoding', 'chunked'],
    ['Transfer-Encoding', 'gzip, chunked'],
    ['Transfer-Encoding', 'identity'],
    ['Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked'],
  ];
  for (const raw of cases) t.equal(frameResponse('GET', 200, planned, raw), null, raw.join(' '));
});
