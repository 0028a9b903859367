import * as fc from 'fast-check';
import t from 'tap';
import { type Canary, chooseCanary, readWord } from '../../src/snapshot/canary.ts';
import { compileCanaries } from '../../src/snapshot/compile/canary.ts';
import { CompileContext } from '../../src/snapshot/compile/context.ts';
import { testUpstream } from '../support/snapshot.ts';

type Config = NonNullable<Parameters<typeof compileCanaries>[1]>[number];

function canaries(...configs: Omit<Config, 'upstream'>[]): readonly Canary[] {
  const context = new CompileContext(new Map());
  const named = configs.map((config, index) => ({ upstream: `c${index}`, ...config }));
  const upstreams = new Map(named.map(({ upstream }) => [upstream, testUpstream(upstream)]));
  const compiled = compileCanaries(context, named, upstreams, '');
  if (context.problems.length > 0) throw new Error(JSON.stringify(context.problems));
  return compiled;
}

const all = { header: 'X-Canary', cookie: 'canary', weight: 50 };
const table: readonly (readonly [
  name: string,
  config: Omit<Config, 'upstream'>,
  headers: readonly string[],
  draw: number,
  taken: boolean,
  by: string,
])[] = [
  ['a header says always', all, ['x-canary', 'always'], 0.9, true, 'header'],
  ['a header says never', all, ['X-CANARY', 'never'], 0, false, 'header'],
  [
    'a header goes before a cookie',
    all,
    ['x-canary', 'never', 'Cookie', 'canary=always'],
    0,
    false,
    'header',
  ],
  [
    'another header value: the cookie decides',
    all,
    ['x-canary', '1', 'Cookie', 'canary=always'],
    0.9,
    true,
    'cookie',
  ],
  ['a cookie goes before the weight', all, ['Cookie', 'a=b; canary=never'], 0, false, 'cookie'],
  ['another cookie value: the weight decides', all, ['Cookie', 'canary=yes'], 0.49, true, 'weight'],
  ['the draw is past the weight', all, [], 0.5, false, 'weight'],
  ['always is no word in another case', all, ['x-canary', 'Always'], 0.9, false, 'weight'],
  [
    'two lines of a header are one list',
    all,
    ['x-canary', 'always', 'x-canary', 'always'],
    0.9,
    false,
    'weight',
  ],
  ['an exact value', { header: 'X-C', headerValue: 'on' }, ['x-c', 'on'], 0.9, true, 'header'],
  [
    'with an exact value, always is no word',
    { header: 'X-C', headerValue: 'on' },
    ['x-c', 'always'],
    0,
    false,
    'weight',
  ],
  [
    'with an exact value, never is none either',
    { header: 'X-C', headerValue: 'on', weight: 100 },
    ['x-c', 'never'],
    0,
    true,
    'weight',
  ],
  [
    'a pattern is found anywhere',
    { header: 'X-C', headerPattern: '[0-9]{2}' },
    ['x-c', 'a42b'],
    0.9,
    true,
    'header',
  ],
  [
    'a pattern that is not found',
    { header: 'X-C', headerPattern: '^b' },
    ['x-c', 'ab'],
    0.9,
    false,
    'weight',
  ],
  [
    'a value goes before a pattern',
    { header: 'X-C', headerValue: 'v', headerPattern: '.' },
    ['x-c', 'w'],
    0.9,
    false,
    'weight',
  ],
  [
    'a value too long for a pattern',
    { header: 'X-C', headerPattern: '.' },
    ['x-c', 'a'.repeat(4000)],
    0.9,
    false,
    'weight',
  ],
  ['a weight of another total', { weight: 1, weightTotal: 1000 }, [], 0.0009, true, 'weight'],
  ['no weight takes nothing', {}, [], 0, false, 'weight'],
];

for (const [name, config, headers, draw, taken, by] of table) {
  void t.test(name, (t) => {
    const choice = chooseCanary(canaries(config), headers, draw);
    t.equal(choice.canary?.upstream ?? null, taken ? 'c0' : null);
    t.equal(choice.by, by);
    t.end();
  });
}

void t.test('of several canaries the first that is asked for takes the request', (t) => {
  const several = canaries({ header: 'A', weight: 10 }, { header: 'B', weight: 20 });
  const of = (headers: readonly string[], draw: number) =>
    chooseCanary(several, headers, draw).canary?.upstream;
  t.equal(of(['b', 'always'], 0.9), 'c1');
  t.equal(of(['b', 'always', 'a', 'always'], 0.9), 'c0');
  t.equal(of(['a', 'never'], 0), 'c1', 'one that is turned down leaves the others');
  t.equal(of([], 0.05), 'c0');
  t.equal(of([], 0.15), 'c1');
  t.equal(of([], 0.31), undefined);
  t.end();
});

void t.test('weights are kept to', (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 5 }), (weights) => {
      const several = canaries(...weights.map((weight) => ({ weight })));
      const taken = weights.map(() => 0);
      for (let draw = 0; draw < 1000; draw++) {
        const { canary } = chooseCanary(several, [], (draw + 0.5) / 1000);
        if (canary !== null) taken[several.indexOf(canary)]!++;
      }
      t.same(
        taken,
        weights.map((weight) => weight * 10),
      );
    }),
  );
  t.end();
});

void t.test('nothing that a client sends makes it throw', (t) => {
  const several = canaries(all, { header: 'X-C', headerPattern: '(a*)*$', cookie: 'x' });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom('cookie', 'x-c', 'X-Canary'), fc.string())), (headers) => {
      const { by } = chooseCanary(several, headers.flat(), 0.7);
      t.ok(['header', 'cookie', 'weight'].includes(by));
    }),
  );
  t.equal(readWord('__proto__'), null);
  t.end();
});
