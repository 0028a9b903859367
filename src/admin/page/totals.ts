import { catalogue, type Catalogue } from '../../observe/catalogue.ts';
import type { MetricsState } from '../../observe/page.ts';

type Families = readonly MetricsState['families'][];

/** The series of one metric: its labels by name, and its number. */
export interface Reading {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Every series of a counter or gauge, of each process by itself. */
export function readings(families: Families, name: keyof Catalogue): Reading[] {
  const { labels: names } = catalogue[name] as { readonly labels: readonly string[] };
  return families.flatMap((family) =>
    (family[name] ?? []).map(([values, [value = 0]]) => ({
      labels: Object.fromEntries(names.map((label, index) => [label, values[index] ?? ''])),
      value,
    })),
  );
}

/** What a counter has come to, over all processes, by some of its labels joined by spaces. */
export function totals(
  families: Families,
  name: keyof Catalogue,
  ...by: readonly string[]
): ReadonlyMap<string, number> {
  const sums = new Map<string, number>();
  for (const { labels, value } of readings(families, name)) {
    const key = by.map((label) => labels[label]).join(' ');
    sums.set(key, (sums.get(key) ?? 0) + value);
  }
  return sums;
}
