import { spawnSync } from 'node:child_process';
import * as fc from 'fast-check';
import t from 'tap';
import { Parser } from 'tap-parser';
import { junitOf } from '../../src/policy-tests/junit.ts';
import type { SuiteResult } from '../../src/policy-tests/run.ts';
import { tapOf } from '../../src/policy-tests/tap.ts';
import { needs } from '../support/program.ts';

// What CI reads: whatever a test is called, a failure stays one.

const report = {
  decision: { action: 'end_handshake', reason: 'x', detail: null },
  handshake: null,
  request: null,
} as const;

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constantFrom(
    '# SKIP',
    '# TODO x',
    '1..0',
    'ok 1',
    'Bail out!',
    '\n',
    ']]>',
    '</testcase>',
    '&',
    '\\#',
    '\uFFFF',
    '\ud800',
  ),
);
const suites: fc.Arbitrary<SuiteResult[]> = fc.array(
  fc.record({
    file: text,
    config: text,
    standIns: fc.array(text, { maxLength: 2 }),
    cases: fc.array(
      fc.record({
        name: text,
        at: text,
        expected: text,
        miss: fc.option(fc.record({ text, detail: fc.option(text) })),
        report: fc.constant(report),
      }),
      { maxLength: 4 },
    ),
  }),
  { minLength: 1, maxLength: 3 },
);

const failuresOf = (all: readonly SuiteResult[]): number =>
  all.flatMap(({ cases }) => cases).filter(({ miss }) => miss !== null).length;

await t.test('TAP: a parser counts the tests and failures that there were', async (t) => {
  fc.assert(
    fc.property(suites, (all) => {
      const total = all.flatMap(({ cases }) => cases).length;
      const parser = new Parser();
      parser.end(tapOf(all));
      const { results } = parser;
      return (
        results !== null &&
        results.bailout === false &&
        results.count === total &&
        results.fail === failuresOf(all) &&
        results.skip === 0 &&
        results.todo === 0 &&
        results.plan.end === total
      );
    }),
    { numRuns: 500 },
  );
  t.pass();
});

await t.test('JUnit: an XML parser reads it, and the same failures', needs('python3'), async (t) => {
  const documents = fc.sample(suites, 200);
  const script = `
import json, sys, xml.etree.ElementTree as tree
print(json.dumps([len(tree.fromstring(text.encode()).findall('.//failure')) for text in json.load(sys.stdin)]))`;
  const input = JSON.stringify(documents.map(junitOf));
  const { stdout, stderr } = spawnSync('python3', ['-c', script], { input, encoding: 'utf8' });
  t.equal(stderr, '');
  t.strictSame(JSON.parse(stdout), documents.map(failuresOf));
});
