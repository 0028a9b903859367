import type { Dashboard, Panel, Query } from './panel.ts';

const datasource = { type: 'prometheus', uid: '${datasource}' } as const;

/** Grafana's columns. */
const columns = 24;
const heights: Readonly<Record<Panel['kind'], number>> = { stat: 4, timeseries: 8, table: 8 };

/** A dashboard as Grafana imports it, as JSON. The same for the same description, to the byte. */
export function render(dashboard: Dashboard): string {
  return `${JSON.stringify(toGrafana(dashboard), null, 2)}\n`;
}

function toGrafana({ uid, title, description, byHost, rows }: Dashboard): object {
  return {
    uid,
    title,
    description,
    tags: ['mtls-ingress'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    timezone: 'browser',
    links: [
      {
        type: 'dashboards',
        title: 'mtls-ingress',
        tags: ['mtls-ingress'],
        asDropdown: true,
        includeVars: true,
        keepTime: true,
      },
    ],
    templating: {
      list: [
        { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus', hide: 0 },
        variable('job', 'Job', 'label_values(mtls_build_info, job)'),
        variable('instance', 'Instance', 'label_values(mtls_build_info{job=~"$job"}, instance)'),
        ...(byHost
          ? [
              variable(
                'host',
                'Host',
                'label_values(mtls_server_certificate_not_after_seconds{job=~"$job", instance=~"$instance"}, host)',
              ),
            ]
          : []),
      ],
    },
    panels: layOut(rows),
  };
}

function variable(name: string, label: string, query: string): object {
  return {
    name,
    label,
    type: 'query',
    datasource,
    query: { query, refId: name },
    definition: query,
    refresh: 2,
    sort: 1,
    includeAll: true,
    allValue: '.*',
    multi: true,
    current: { selected: true, text: ['All'], value: ['$__all'] },
  };
}

/** From left to right, and on in the next line where there is no room. */
function layOut(rows: Dashboard['rows']): object[] {
  const panels: object[] = [];
  let y = 0;
  for (const { title, panels: own } of rows) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y: y++, w: columns, h: 1 },
    });
    let x = 0;
    let height = 0;
    for (const panel of own) {
      if (x + panel.width > columns) {
        y += height;
        x = 0;
        height = 0;
      }
      const h = heights[panel.kind];
      panels.push(panelOf(panel, panels.length + 1, { x, y, w: panel.width, h }));
      x += panel.width;
      height = Math.max(height, h);
    }
    y += height;
  }
  return panels;
}

function panelOf(panel: Panel, id: number, gridPos: object): object {
  const { kind, title, description, unit, queries, thresholds } = panel;
  return {
    id,
    type: kind,
    title,
    description,
    datasource,
    gridPos,
    targets: queries.map((query, index) => target(query, index, kind)),
    fieldConfig: {
      defaults: {
        unit,
        // Nothing of it has happened yet, so nothing is known to be wrong.
        noValue: '-',
        color: { mode: thresholds === undefined ? 'palette-classic' : 'thresholds' },
        thresholds: { mode: 'absolute', steps: steps(thresholds) },
        ...(kind === 'timeseries' ? { min: 0, custom: lines(panel) } : {}),
      },
      overrides: [],
    },
    options: options(kind),
    ...(kind === 'table' ? { transformations: tidy } : {}),
  };
}

function target({ expr, legend }: Query, index: number, kind: Panel['kind']): object {
  return {
    refId: String.fromCodePoint('A'.codePointAt(0)! + index),
    datasource,
    expr,
    legendFormat: legend,
    ...(kind === 'timeseries' ? { range: true } : { instant: true, range: false }),
    ...(kind === 'table' ? { format: 'table' } : {}),
  };
}

function steps(thresholds: Panel['thresholds']): object[] {
  if (thresholds === undefined) return [{ color: 'green', value: null }];
  const { orange, red, falling } = thresholds;
  return falling === true
    ? [
        { color: 'red', value: null },
        { color: 'orange', value: red },
        { color: 'green', value: orange },
      ]
    : [
        { color: 'green', value: null },
        { color: 'orange', value: orange },
        { color: 'red', value: red },
      ];
}

function lines({ stacked }: Panel): object {
  return {
    drawStyle: 'line',
    lineWidth: 1,
    fillOpacity: stacked === true ? 30 : 10,
    showPoints: 'never',
    spanNulls: false,
    stacking: { mode: stacked === true ? 'normal' : 'none', group: 'A' },
  };
}

function options(kind: Panel['kind']): object {
  switch (kind) {
    case 'stat':
      return { reduceOptions: { calcs: ['lastNotNull'] }, colorMode: 'value', graphMode: 'area' };
    case 'timeseries':
      return {
        legend: { displayMode: 'table', placement: 'bottom', calcs: ['mean', 'max'] },
        tooltip: { mode: 'multi', sort: 'desc' },
      };
    case 'table':
      return { showHeader: true, sortBy: [{ displayName: 'Value', desc: false }] };
  }
}

const tidy = [{ id: 'organize', options: { excludeByName: { Time: true } } }];
