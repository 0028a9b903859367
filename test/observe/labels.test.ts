import * as fc from 'fast-check';
import t from 'tap';
import {
  foldStatus,
  handshakeReasonLabel,
  listenerLabel,
  methodIndex,
  methodLabel,
  statusClass,
  statusLabel,
  tlsVersionLabel,
} from '../../src/observe/labels.ts';
import { shorten } from '../../src/observe/shorten.ts';

const method = (text: string): string => methodLabel(methodIndex(text));
const status = (code: number): string => statusLabel(foldStatus(code));

void t.test('known methods stand for themselves, every other one is `other`', (t) => {
  for (const known of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'CONNECT', 'TRACE']) {
    t.equal(method(known), known);
  }
  for (const unknown of ['get', 'PROPFIND', '', '__proto__', 'constructor', 'other', 'G'.repeat(1e6)]) {
    t.equal(method(unknown), 'other');
  }
  t.end();
});

void t.test('known statuses stand for themselves, others for their class', (t) => {
  for (const known of [101, 200, 204, 304, 400, 403, 404, 421, 502, 504])
    t.equal(status(known), String(known));
  t.equal(status(0), '0');
  t.equal(status(299), '2xx');
  t.equal(status(499), '4xx');
  t.equal(status(599), '5xx');
  for (const odd of [1, 99, 600, 999, 1000, -1, 200.5, NaN, Infinity]) t.equal(status(odd), 'other');
  t.end();
});

void t.test('whatever status a backend answers, there are fewer than 80 labels for it', (t) => {
  const labels = new Set<string>();
  for (let code = -10; code < 2000; code++) labels.add(status(code));
  t.ok(labels.size < 80, `${labels.size}`);
  const classes = new Set<string>();
  for (let code = -10; code < 2000; code++) classes.add(statusLabel(statusClass(code)));
  t.same([...classes].sort(), ['0', '1xx', '2xx', '3xx', '4xx', '5xx', 'other']);
  t.end();
});

void t.test('listeners, reasons and TLS versions outside their sets fold into one label each', (t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const odd = `?${text}`;
      return (
        listenerLabel(odd) === 'other' &&
        handshakeReasonLabel(odd) === 'other' &&
        tlsVersionLabel(odd) === 'other'
      );
    }),
  );
  t.equal(listenerLabel('https'), 'https');
  t.equal(handshakeReasonLabel('expired'), 'expired');
  t.equal(tlsVersionLabel('TLSv1.2'), 'TLSv1.2');
  t.equal(tlsVersionLabel(null), 'none');
  t.end();
});

void t.test('shortened text keeps to its length and tears no surrogate pair apart', (t) => {
  const texts = fc.string({ unit: 'binary' });
  fc.assert(
    fc.property(texts, fc.integer({ min: 2, max: 40 }), (text, length) => {
      const short = shorten(text, length);
      const kept =
        text.length <= length ? short === text : short.endsWith('…') && text.startsWith(short.slice(0, -1));
      return kept && short.length <= length && (!text.isWellFormed() || short.isWellFormed());
    }),
  );
  t.equal(shorten('a😀b', 3), 'a…');
  t.end();
});
