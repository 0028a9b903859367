import {
  catalogue,
  type Catalogue,
  type CounterDeclaration,
  type Declaration,
  type GaugeDeclaration,
  type HistogramDeclaration,
} from './catalogue.ts';
import { HistogramFamily, NumberFamily } from './series.ts';

type FamilyOf<D> =
  D extends HistogramDeclaration<infer Label>
    ? HistogramFamily<Label>
    : D extends CounterDeclaration<infer Label> | GaugeDeclaration<infer Label>
      ? NumberFamily<Label>
      : never;

/** The series of every metric of the catalogue, by its name there. */
export type Families = { readonly [Name in keyof Catalogue]: FamilyOf<Catalogue[Name]> };

export function createFamilies(): Families {
  const families: Record<string, NumberFamily<string> | HistogramFamily<string>> = {};
  for (const [name, declaration] of Object.entries<Declaration>(catalogue)) {
    families[name] = isHistogram(declaration)
      ? new HistogramFamily(declaration)
      : new NumberFamily(declaration);
  }
  return Object.freeze(families) as Families;
}

function isHistogram(declaration: Declaration): declaration is HistogramDeclaration {
  return declaration.type === 'histogram';
}
