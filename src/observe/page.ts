import { type MetricObject, Registry } from 'prom-client';
import { catalogue, type Declaration } from './catalogue.ts';
import { createFamilies, type Families } from './families.ts';
import type { FamilyState } from './series.ts';

/** Everything a process has counted, as plain data: what a worker process hands to its supervisor. */
export interface MetricsState {
  /** By the name in the catalogue. */
  readonly families: Readonly<Record<string, FamilyState>>;
  /** prom-client's, of the process itself. */
  readonly process: readonly MetricObject[];
}

export function stateOf(families: Families): MetricsState['families'] {
  return Object.fromEntries(Object.entries(families).map(([name, family]) => [name, family.state()]));
}

/** What a process leaves behind when it is gone: what it has counted, and nothing of how things stood with it. */
export function legacyOf(state: MetricsState): MetricsState {
  const declarations: Readonly<Record<string, Declaration>> = catalogue;
  return {
    families: Object.fromEntries(
      Object.entries(state.families).filter(([name]) => declarations[name]?.type !== 'gauge'),
    ),
    process: state.process.filter(({ type }) => type === 'counter' || type === 'histogram'),
  };
}

/** Adds what another process has counted, each family as its declaration says. */
export function absorb(families: Families, state: MetricsState['families']): void {
  for (const [name, family] of Object.entries(families)) family.absorb(state[name] ?? []);
}

/** The numbers of a supervisor with those of its worker processes folded in. Its own `families` stay as they are. */
export function foldFamilies(families: Families, states: readonly MetricsState[]): Families {
  const together = createFamilies();
  for (const [name, family] of Object.entries(families)) {
    together[name as keyof Families].absorb(family.state(), 'sum');
  }
  for (const state of states) absorb(together, state.families);
  return together;
}

/** The metrics of several processes as those of one; what makes no sense of several is left out. */
export async function foldProcesses(
  processes: readonly MetricsState['process'][],
): Promise<MetricsState['process']> {
  return Registry.aggregate(processes as object[]).getMetricsAsJSON();
}

/** prom-client's part of the page, of several processes. When the program started is what the first one says. */
export async function printProcesses(
  first: Registry,
  others: readonly MetricsState['process'][],
): Promise<string> {
  const aggregated = await Registry.aggregate([await first.getMetricsAsJSON(), ...others]).metrics();
  return `${aggregated.trimEnd()}\n\n${await first.getSingleMetricAsString('process_start_time_seconds')}\n`;
}

/** Our part of a page. */
export function printFamilies(families: Families): string {
  let page = '';
  for (const family of Object.values(families)) page += family.print();
  return page;
}
