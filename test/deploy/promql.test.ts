import t from 'tap';
import { namesIn } from '../support/promql.ts';

void t.test('metrics, matchers and groupings of an expression are told apart from functions', (t) => {
  t.same(
    namesIn(
      'histogram_quantile(0.99, sum by (le, host) (rate(a_bucket{job=~"$job", code!="by (x)"}[$__rate_interval]))) > 0',
    ),
    { metrics: [{ name: 'a_bucket', labels: ['job', 'code'] }], grouped: ['le', 'host'] },
  );
  t.same(namesIn('up == 0 and on (job) last_over_time(b[1h] offset 10m) or vector(0)'), {
    metrics: [
      { name: 'up', labels: [] },
      { name: 'b', labels: [] },
    ],
    grouped: ['job'],
  });
  t.same(namesIn('sum(c) by (x) / (1 - d * 2)').metrics, [
    { name: 'c', labels: [] },
    { name: 'd', labels: [] },
  ]);
  t.throws(() => namesIn('{job="x"}'), /without a metric/);
  t.end();
});
