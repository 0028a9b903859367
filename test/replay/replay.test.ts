import * as fc from 'fast-check';
import { Readable } from 'node:stream';
import t from 'tap';
import { requestFields, connectionFields } from '../../src/observe/log-fields.ts';
import { linesOf } from '../../src/replay/lines.ts';
import { parseRfc2253 } from '../../src/replay/name.ts';
import { readLine } from '../../src/replay/recorded.ts';
import { Replay } from '../../src/replay/replay.ts';
import { formatRfc2253 } from '../../src/tls/distinguished-name.ts';
import {
  forward,
  requestEvent,
  respond,
  testConnection,
  testHost,
  testIdentity,
  testSnapshot,
} from '../observe/fixture.ts';

const host = testHost('a.test');

function lineOf(event = requestEvent(forward(host))): Record<string, unknown> {
  const fields = { ...connectionFields(event.connection), ...requestFields(event) };
  return JSON.parse(JSON.stringify({ time: '2026-11-24T08:00:00.000Z', ...fields })) as Record<
    string,
    unknown
  >;
}

await t.test('a name is read back from the log as it was', async (t) => {
  const attribute = fc.record({
    oid: fc.constantFrom('2.5.4.3', '2.5.4.11', '2.5.4.10', '1.2.3.4.5'),
    value: fc
      .oneof(fc.string({ minLength: 1 }), fc.string({ unit: 'grapheme', minLength: 1 }))
      .filter((text) => text.isWellFormed()),
  });
  const name = fc.array(fc.array(attribute, { minLength: 1, maxLength: 3 }), { maxLength: 5 });
  fc.assert(
    fc.property(name, (written) => {
      const read = parseRfc2253(formatRfc2253(written));
      const plain = read?.map((rdn) => rdn.map(({ oid, value }) => ({ oid, value })));
      return JSON.stringify(plain) === JSON.stringify(written);
    }),
    { numRuns: 2000 },
  );
  for (const bad of ['x', 'NOPE=1', 'CN=a\\', '=', 'CN=a,,CN=b']) t.equal(parseRfc2253(bad), null, bad);
});

await t.test('whatever stands in a line, it is replayed or said why not', async (t) => {
  t.equal(typeof readLine(JSON.stringify(lineOf())), 'object');
  t.equal(readLine('{'), 'not JSON');
  t.equal(readLine(''), 'not JSON');
  t.equal(readLine('null'), 'no request');
  t.equal(readLine('{"kind":"handshake"}'), 'no request');
  t.match(readLine('{"kind":"request"}'), /older version/);
  t.match(readLine(JSON.stringify({ ...lineOf(), time: 'x' })), /older version/);
  const with_ = (decision: Parameters<typeof respond>[0]) =>
    readLine(JSON.stringify(lineOf(requestEvent(respond(decision, host)))));
  t.match(with_('revoked'), /CRL/);
  t.match(with_('cors_preflight'), /preflights/);
  t.match(with_('misdirected'), /421/);
  const headless = requestEvent(respond('bad_framing', null));
  t.match(readLine(JSON.stringify(lineOf(headless))), /before it could be decided/);
  const long = requestEvent(forward(host), { target: `/${'x'.repeat(9000)}` });
  t.match(readLine(JSON.stringify(lineOf(long))), /cut/);
  const san = { ...testIdentity.san, dns: Array.from({ length: 40 }, (_, index) => `${index}.test`) };
  const many = requestEvent(forward(host), {
    connection: testConnection({ identity: { ...testIdentity, san } }),
  });
  t.match(readLine(JSON.stringify(lineOf(many))), /cut/);
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom('connection', 'request', 'time', 'kind'), (value, key) => {
      readLine(JSON.stringify({ ...lineOf(), [key]: value }));
    }),
  );
});

await t.test('what is kept is bounded, whoever wrote the log', async (t) => {
  const replay = new Replay(testSnapshot([testHost('b.test')]), null);
  for (let count = 0; count < 3000; count++) {
    const identity = { ...testIdentity, sha256: count.toString(16).padStart(64, '0') };
    const connection = testConnection({ identity });
    const line = lineOf(requestEvent(forward(host), { connection })) as {
      request: { host: string; upstream: { name: string } };
    };
    line.request.host = `${count % 1500}.test`;
    replay.take(JSON.stringify(line));
  }
  const report = replay.report();
  t.match(report, { lines: 3000, replayed: 3000, same: 0, different: 3000, otherChanges: 1000 });
  t.equal(report.changes.length, 1000);
  const one = new Replay(testSnapshot([testHost('b.test')]), null);
  for (let count = 0; count < 1000; count++) {
    const identity = { ...testIdentity, sha256: count.toString(16).padStart(64, '0') };
    one.take(
      JSON.stringify(lineOf(requestEvent(forward(host), { connection: testConnection({ identity }) }))),
    );
  }
  const [change] = one.report().changes;
  t.match(change, { was: 'forwarded to backend', now: '404 no_host', requests: 1000, moreIdentities: true });
  t.equal(change!.identities.length, 10);
  t.equal(change!.examples.length, 5);
});

await t.test('lines are put together from pieces, and one that does not end takes no memory', async (t) => {
  const read = async (...pieces: string[]): Promise<string[]> => {
    const lines: string[] = [];
    for await (const line of linesOf(Readable.from(pieces.map((piece) => Buffer.from(piece)))))
      lines.push(line);
    return lines;
  };
  t.same(await read('a\nb', 'c\n\nd'), ['a', 'bc', '', 'd']);
  t.same(await read('é'.repeat(10), '\n'), ['é'.repeat(10)]);
  const long = Array.from({ length: 20 }, () => 'x'.repeat(65_536));
  t.same(await read(...long, '\nnext\n'), ['', 'next']);
});
