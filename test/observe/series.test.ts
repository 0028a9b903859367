import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import t from 'tap';
import type { CounterDeclaration, HistogramDeclaration } from '../../src/observe/catalogue.ts';
import { HistogramFamily, NumberFamily } from '../../src/observe/series.ts';
import { samplesOf, valueOf } from './fixture.ts';

const counter: CounterDeclaration<'a' | 'b'> = {
  type: 'counter',
  name: 'x_total',
  help: 'Of \\ and\nnewline.',
  labels: ['a', 'b'],
  aggregate: 'sum',
};
const histogram: HistogramDeclaration<'a'> = {
  type: 'histogram',
  name: 'h_seconds',
  help: 'H.',
  labels: ['a'],
  buckets: [0.1, 1, 10],
  aggregate: 'sum',
};

void t.test('a family without series prints nothing, not even its head', (t) => {
  t.equal(new NumberFamily(counter).print(), '');
  t.end();
});

void t.test('help is escaped onto one line', (t) => {
  const family = new NumberFamily(counter);
  family.series({ a: '1', b: '2' });
  t.equal(
    family.print(),
    '# HELP x_total Of \\\\ and\\nnewline.\n# TYPE x_total counter\nx_total{a="1",b="2"} 0\n',
  );
  t.end();
});

void t.test(
  'whatever text labels hold, the page reads back as it was counted, and no two series meet',
  (t) => {
    const label = fc.string({ unit: 'grapheme' });
    const labels = fc.record({ a: label, b: label });
    fc.assert(
      fc.property(fc.uniqueArray(labels, { selector: ({ a, b }) => JSON.stringify([a, b]) }), (all) => {
        const family = new NumberFamily(counter);
        for (const [index, one] of all.entries()) family.series(one).value = index;
        const samples = samplesOf(family.print().replace(/^(#.*\n){2}/, ''));
        assert.deepEqual(
          samples.map(({ labels, value }) => [labels.a, labels.b, value]),
          all.map(({ a, b }, index) => [a, b, index]),
        );
      }),
    );
    t.end();
  },
);

void t.test('the same labels give the same series', (t) => {
  const family = new NumberFamily(counter);
  family.series({ a: '1', b: '2' }).value++;
  family.series({ b: '2', a: '1' }).value++;
  t.equal(valueOf(family.print(), 'x_total'), 2);
  t.equal(family.size, 1);
  t.end();
});

void t.test('a series that is not retained is gone from the page, and comes back at zero', (t) => {
  const family = new NumberFamily(counter);
  const held = family.series({ a: 'gone', b: '' });
  held.value = 5;
  family.series({ a: 'kept', b: '' }).value = 1;
  family.retain(({ a }) => a === 'kept');
  held.value++;
  t.same(
    samplesOf(family.print()).map(({ labels }) => labels.a),
    ['kept'],
  );
  t.equal(family.series({ a: 'gone', b: '' }).value, 0);
  t.end();
});

void t.test('a histogram counts each value in the buckets at and above it', (t) => {
  const family = new HistogramFamily(histogram);
  const series = family.series({ a: 'x' });
  for (const value of [0, 0.1, 0.11, 1, 9, 10, 11, 1e9]) series.observe(value);
  const page = family.print();
  const bucket = (le: string): number => valueOf(page, 'h_seconds_bucket', { a: 'x', le });
  t.same([bucket('0.1'), bucket('1'), bucket('10'), bucket('+Inf')], [2, 4, 6, 8]);
  t.equal(valueOf(page, 'h_seconds_count', { a: 'x' }), 8);
  t.equal(valueOf(page, 'h_seconds_sum', { a: 'x' }), 0 + 0.1 + 0.11 + 1 + 9 + 10 + 11 + 1e9);
  t.end();
});

void t.test('what is no time counts as zero and never spoils the sum', (t) => {
  const family = new HistogramFamily(histogram);
  const series = family.series({ a: 'x' });
  for (const value of [NaN, -1, Infinity, -Infinity, 0.5]) series.observe(value);
  t.equal(valueOf(family.print(), 'h_seconds_sum'), 0.5);
  t.equal(valueOf(family.print(), 'h_seconds_count'), 5);
  t.end();
});

void t.test('a family without labels prints none', (t) => {
  const family = new HistogramFamily({ ...histogram, labels: [] });
  family.series({}).observe(0.5);
  t.match(family.print(), '\nh_seconds_bucket{le="1"} 1\n');
  t.match(family.print(), '\nh_seconds_count 1\n');
  const gauge = new NumberFamily({ type: 'gauge', name: 'g', help: 'G.', labels: [], aggregate: 'max' });
  gauge.series({}).value = -1.5;
  t.equal(gauge.print(), '# HELP g G.\n# TYPE g gauge\ng -1.5\n');
  t.end();
});

void t.test('what two processes hold becomes their sum, the least or the greatest, or stays out', (t) => {
  const fold = (aggregate: 'sum' | 'min' | 'max' | 'own', own: number | null): number | null => {
    const gauge = { type: 'gauge', name: 'g', help: 'G.', labels: ['a'], aggregate } as const;
    const [here, there] = [new NumberFamily<'a'>(gauge), new NumberFamily<'a'>(gauge)];
    if (own !== null) here.series({ a: 'x' }).value = own;
    there.series({ a: 'x' }).value = 5;
    here.absorb(structuredClone(there.state()));
    return here.size === 0 ? null : here.series({ a: 'x' }).value;
  };
  t.same([fold('sum', 2), fold('min', 2), fold('max', 2), fold('own', 2)], [7, 2, 5, 2]);
  t.same([fold('sum', null), fold('min', null), fold('max', null), fold('own', null)], [5, 5, 5, null]);
  t.end();
});

void t.test('a value seen in either of two processes is in the histogram of both', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ value: fc.integer({ min: 0, max: 20 }), here: fc.boolean() })),
      (seen) => {
        const [all, here, there] = [1, 2, 3].map(() => new HistogramFamily(histogram)) as [
          HistogramFamily<'a'>,
          HistogramFamily<'a'>,
          HistogramFamily<'a'>,
        ];
        for (const family of [all, here, there]) family.series({ a: '"x"' });
        for (const { value, here: first } of seen) {
          all.series({ a: '"x"' }).observe(value);
          (first ? here : there).series({ a: '"x"' }).observe(value);
        }
        here.absorb(structuredClone(there.state()));
        assert.equal(here.print(), all.print());
      },
    ),
  );
  t.end();
});

void t.test('the histogram of a program with other buckets is left out', (t) => {
  const [here, there] = [new HistogramFamily(histogram), new HistogramFamily({ ...histogram, buckets: [1] })];
  here.series({ a: 'x' }).observe(1);
  there.series({ a: 'x' }).observe(1);
  const before = here.print();
  here.absorb(there.state());
  t.equal(here.print(), before);
  t.end();
});
