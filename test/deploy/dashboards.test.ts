import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { dashboards } from '../../deploy/grafana/dashboards.ts';
import { render } from '../../deploy/grafana/render.ts';
import { sampleNames, strangersIn } from '../support/metric-names.ts';
import { namesIn } from '../support/promql.ts';

const folder = join(import.meta.dirname, '..', '..', 'deploy', 'grafana');
const names = await sampleNames();
const queries = dashboards.flatMap(({ uid, rows }) =>
  rows.flatMap(({ panels }) =>
    panels.flatMap((panel) => panel.queries.map((query) => ({ uid, panel, query }))),
  ),
);

void t.test('the files are what `npm run dashboards` writes, and there is no other', (t) => {
  t.same(
    readdirSync(folder)
      .filter((file) => file.endsWith('.json'))
      .sort(),
    dashboards.map(({ uid }) => `${uid}.json`).sort(),
  );
  for (const dashboard of dashboards) {
    t.equal(readFileSync(join(folder, `${dashboard.uid}.json`), 'utf8'), render(dashboard), dashboard.uid);
  }
  t.end();
});

void t.test('every metric and label that a query names is one of the catalogue', (t) => {
  for (const { uid, panel, query } of queries) {
    const shown = [...query.legend.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!);
    t.same(strangersIn(query.expr, names, shown), [], `${uid}: ${panel.title}: ${query.expr}`);
  }
  t.same(strangersIn('sum by (hots) (mtls_requests{codes="1"} + mtls_requests_total{codes="1"})', names), [
    'mtls_requests',
    'mtls_requests_total{codes}',
    'hots',
  ]);
  t.end();
});

void t.test('what a legend names is left over by the query', (t) => {
  for (const { uid, panel, query } of queries) {
    const { grouped } = namesIn(query.expr);
    for (const [, label] of query.legend.matchAll(/\{\{(\w+)\}\}/g)) {
      t.ok(grouped.includes(label!), `${uid}: ${panel.title}: ${label}`);
    }
  }
  t.end();
});

void t.test('queries take only what is chosen, and panels of one dashboard do not overlap', (t) => {
  for (const { uid, panel, query } of queries) {
    for (const { name, labels } of namesIn(query.expr).metrics) {
      t.ok(
        ['job', 'instance'].every((label) => labels.includes(label)),
        `${uid}: ${panel.title}: ${name}`,
      );
    }
  }
  for (const dashboard of dashboards) {
    const { panels } = JSON.parse(render(dashboard)) as {
      panels: readonly { id: number; gridPos: { x: number; y: number; w: number; h: number } }[];
    };
    const taken = new Set<string>();
    for (const { id, gridPos } of panels) {
      t.ok(gridPos.x + gridPos.w <= 24, `${dashboard.uid}: panel ${id} is within 24 columns`);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          if (taken.has(`${x} ${y}`)) t.fail(`${dashboard.uid}: panel ${id} lies on another`);
          taken.add(`${x} ${y}`);
        }
      }
    }
    t.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  }
  t.end();
});
