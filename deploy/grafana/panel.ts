/** One query of a panel, and what its series are called: `{{label}}` stands for a label's value. */
export interface Query {
  readonly expr: string;
  readonly legend: string;
}

export interface Panel {
  readonly kind: 'stat' | 'timeseries' | 'table';
  readonly title: string;
  /** What it shows, and what to make of it. */
  readonly description: string;
  /** Grafana's name of a unit: `reqps`, `s`, `percentunit`, `short` … */
  readonly unit: string;
  readonly queries: readonly Query[];
  /** Of 24 columns. */
  readonly width: number;
  /** From which value on it is orange, and red. Falling: from which value down. */
  readonly thresholds?: { readonly orange: number; readonly red: number; readonly falling?: true };
  /** Series lie on each other. */
  readonly stacked?: true;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export interface Dashboard {
  /** Also the name of its file. Stays the same: links and Grafana's own database know it by this. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** It is of one host or several, chosen above. */
  readonly byHost: boolean;
  readonly rows: readonly Row[];
}

type Options = Omit<Panel, 'kind' | 'title' | 'description' | 'unit' | 'queries'>;

function panel(
  kind: Panel['kind'],
  width: number,
): (
  title: string,
  description: string,
  unit: string,
  queries: readonly Query[],
  options?: Partial<Options>,
) => Panel {
  return (title, description, unit, queries, options = {}) => ({
    kind,
    title,
    description,
    unit,
    queries,
    width,
    ...options,
  });
}

/** A number. */
export const stat = panel('stat', 4);

/** Lines over time. */
export const graph = panel('timeseries', 12);

/** A line for each series, as it stands now. */
export const table = panel('table', 12);

/** A query. */
export function query(expr: string, legend: string): Query {
  return { expr, legend };
}

/** The selector of every query: what is chosen above the dashboard. */
export const chosen = 'job=~"$job", instance=~"$instance"';

/** Quantiles of a histogram of the chosen instances, by further labels, over time. */
export function quantiles(metric: string, matchers: string, by: readonly string[] = []): readonly Query[] {
  const labels = ['le', ...by].join(', ');
  const name = by.map((label) => ` {{${label}}}`).join('');
  return [0.5, 0.9, 0.99].map((quantile) =>
    query(
      `histogram_quantile(${quantile}, sum by (${labels}) (rate(${metric}_bucket{${matchers}}[$__rate_interval])))`,
      `p${quantile * 100}${name}`,
    ),
  );
}

/** Events per second of the chosen instances, by labels. */
export function perSecond(metric: string, matchers: string, by: readonly string[]): Query {
  const legend = by.map((label) => `{{${label}}}`).join(' ');
  return query(`sum by (${by.join(', ')}) (rate(${metric}{${matchers}}[$__rate_interval]))`, legend);
}
