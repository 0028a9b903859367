import * as fc from 'fast-check';
import t from 'tap';
import { ask } from '../../src/explain/ask.ts';
import { readQuestion } from '../../src/explain/json-question.ts';
import { BadQuestion, type Question } from '../../src/explain/question.ts';
import { reportText } from '../../src/explain/text.ts';
import { compile } from '../../src/snapshot/compile.ts';
import { createAuthority } from '../support/pki.ts';
import { completeConfig } from '../support/proxy.ts';

// Whoever may ask may not be able to break anything by it, and what he asks about may be anybody's bytes.

const root = await createAuthority({ cn: 'Root' });
const middle = await createAuthority({ cn: 'Middle', parent: root });
const leaf = await middle.issue({
  subject: [
    ['OU', 'ITOps'],
    ['CN', 'x'],
  ],
  hosts: ['a.test', '192.0.2.1'],
});
const server = await root.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });

const compiled = compile(
  completeConfig({
    listeners: { http: { address: '127.0.0.1', port: 0 } },
    hosts: [
      {
        names: ['a.test', '*.a.test'],
        certificate: { cert: 'server.pem', key: 'server.key' },
        clientAuth: { mode: 'optional_no_ca', ca: 'root.pem', crl: 'root.crl' },
        identityHeaders: { dialects: ['nginx', 'xfcc', 'rfc9440', 'traefik', 'haproxy'], certificate: true },
        policy: { any: [{ ou: { regex: 'IT.*' } }, { not: { cn: 'x*' } }] },
        routes: [
          { path: '/', upstream: 'u' },
          { path: '/r/(.*)', pathType: 'Regex', upstream: 'u', rewrite: '/{1}' },
          { path: '/m', upstream: 'u', mode: 'report', policy: { dns: '*.b.test' } },
        ],
      },
    ],
    upstreams: { u: { endpoints: ['127.0.0.1:9'] } },
  }),
  new Map([
    ['server.pem', server.bundle],
    ['server.key', server.key],
    ['root.pem', root.cert],
    ['root.crl', root.crl() + middle.crl()],
  ]),
);
if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
const { snapshot } = compiled;

const printableOnly = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u;

/** A question that is answered: as data that JSON can say, and in lines that move no cursor. */
async function holds(question: Question): Promise<boolean> {
  const { report } = await ask(snapshot, question);
  return (
    JSON.stringify(report).length < 200_000 && reportText(report).every((line) => printableOnly.test(line))
  );
}

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    'a.test',
    'b.a.test:8443',
    '/',
    '/r/%2e%2e/x',
    '/m;y',
    'GET',
    '127.0.0.1',
    '\r\n',
    '\u0000',
    leaf.cert,
  ),
);
const body = fc.record(
  {
    host: fc.oneof(fc.constantFrom('a.test', 'b.a.test', '[::1]:1'), text),
    path: fc.oneof(
      text,
      text.map((rest) => `/${rest}`),
    ),
    method: text,
    headers: fc.dictionary(text, text, { maxKeys: 4 }),
    certificate: fc.oneof(fc.constant(leaf.bundle), text, fc.constant(null)),
    serverName: fc.oneof(text, fc.constant(null)),
    address: fc.oneof(fc.ipV4(), fc.ipV6(), text),
    plainHttp: fc.boolean(),
    time: fc.constantFrom('2026-11-24', '0000-01-01', '9999-12-31T23:59:59Z'),
  },
  { requiredKeys: ['host'] },
);

await t.test('any body is a question that is answered, or is refused with words', async (t) => {
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.oneof({ weight: 9, arbitrary: body }, { weight: 1, arbitrary: fc.jsonValue() }),
      async (data) => {
        try {
          const question = readQuestion(JSON.parse(JSON.stringify(data)));
          const held = await holds(question);
          answered++;
          return held;
        } catch (error) {
          return error instanceof BadQuestion && error.message.length < 1000;
        }
      },
    ),
    { numRuns: 1500 },
  );
  t.ok(answered > 100, `${answered} were answered`);
});

await t.test('a chain with any octets changed is explained, and proves nothing', async (t) => {
  const chain = [leaf.der, middle.der] as const;
  const whole = await ask(snapshot, readQuestion({ host: 'a.test', certificate: leaf.bundle }));
  t.match(whole.report, {
    decision: { action: 'forward' },
    request: { clientAuth: { verdict: { status: 'success' } } },
  });
  await fc.assert(
    fc.asyncProperty(
      fc.nat(1),
      fc.nat(leaf.der.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.option(fc.nat(300)),
      async (which, at, flip, cut) => {
        const changed = Buffer.from(chain[which]!);
        changed[at % changed.length]! ^= flip;
        const bytes = cut === null ? changed : changed.subarray(0, cut);
        const question: Question = {
          host: 'a.test',
          target: '/',
          method: 'GET',
          headers: [],
          certificate: { chain: which === 0 ? [bytes, middle.der] : [leaf.der, bytes] },
          serverName: 'a.test',
          address: '127.0.0.1',
          plainHttp: false,
          time: null,
        };
        const { report } = await ask(snapshot, question);
        const verdict = report.request?.clientAuth?.verdict.status ?? 'none';
        return verdict !== 'success' && report.decision.action !== 'forward' && (await holds(question));
      },
    ),
    { numRuns: 300 },
  );
  t.pass();
});
