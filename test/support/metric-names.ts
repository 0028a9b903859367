import { catalogue, type Declaration } from '../../src/observe/catalogue.ts';
import { createProcessMetrics } from '../../src/observe/process-metrics.ts';
import { namesIn } from './promql.ts';

/** What Prometheus itself gives to every series. */
const targetLabels = ['job', 'instance'];

/** Every name that a sample of ours can have, with its labels. */
export async function sampleNames(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const names = new Map<string, ReadonlySet<string>>([['up', new Set(targetLabels)]]);
  for (const { type, name, labels } of Object.values<Declaration>(catalogue)) {
    const own = new Set<string>([...labels, ...targetLabels]);
    if (type === 'histogram') {
      names.set(`${name}_bucket`, new Set([...own, 'le']));
      names.set(`${name}_sum`, own);
      names.set(`${name}_count`, own);
    } else names.set(name, own);
  }
  for (const { name } of await createProcessMetrics().getMetricsAsJSON())
    names.set(name, new Set(targetLabels));
  return names;
}

/** What an expression, or a text with `{{label}}`s beside it, names that there is not. */
export function strangersIn(
  expression: string,
  names: ReadonlyMap<string, ReadonlySet<string>>,
  used: readonly string[] = [],
): string[] {
  const { metrics, grouped } = namesIn(expression);
  const strangers: string[] = [];
  const known = new Set<string>();
  for (const { name, labels } of metrics) {
    const own = names.get(name);
    if (own === undefined) strangers.push(name);
    else {
      strangers.push(...labels.filter((label) => !own.has(label)).map((label) => `${name}{${label}}`));
      for (const label of own) known.add(label);
    }
  }
  return [...strangers, ...[...grouped, ...used].filter((label) => !known.has(label))];
}
