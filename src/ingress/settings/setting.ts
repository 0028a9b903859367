import { type Annotation, type Risk, same, type State, type ValueType } from '../annotations/annotation.ts';

/**
 * A key of ingress-nginx's ConfigMap, declared once: what reads it, the table in the documentation and the migration report
 * come from the declaration. What it does is in effects.ts, or in the family whose default it is.
 */
export interface Setting<Value = unknown> {
  readonly name: string;
  readonly type: ValueType<Value>;
  /** What holds without it, as it would be written; null for nothing at all. */
  readonly default: string | null;
  readonly risk: Risk;
  /** It keeps someone out: where it cannot be understood or done, nothing is served. */
  readonly restricts: boolean;
  readonly state: State;
  /** One sentence for the table. */
  readonly doc: string;
}

interface Details {
  readonly default?: string;
  readonly restricts?: boolean;
  readonly state?: State;
}

/** Declares a key: by default with the same effect as in ingress-nginx. */
export function setting<Value>(
  name: string,
  type: ValueType<Value>,
  doc: string,
  details: Details = {},
): Setting<Value> {
  return Object.freeze({
    name,
    type,
    doc,
    default: details.default ?? null,
    risk: 'Low' as const,
    restricts: details.restricts ?? false,
    state: details.state ?? same,
  });
}

/** The key of an annotation's name, which holds for every Ingress that does not have the annotation. */
export function settingOf<Value>(annotation: Annotation<Value>): Setting<Value> {
  return Object.freeze({
    name: annotation.global ?? annotation.name,
    type: annotation.type,
    doc: `For every Ingress without the annotation: ${annotation.doc}`,
    default: annotation.default,
    risk: annotation.risk,
    restricts: annotation.restricts,
    state: annotation.state,
  });
}
