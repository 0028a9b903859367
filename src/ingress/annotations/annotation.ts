/**
 * What an annotation is, declared once: the parser, its effect's state, the table in the README, the migration report
 * and the test of completeness all come from a declaration. The effects are in the families (family.ts).
 */

/** ingress-nginx's, which we take over. */
export const nginxPrefix = 'nginx.ingress.kubernetes.io/';
/** What ingress-nginx has no word for. */
export const ownPrefix = 'mtls-ingress.io/';

export type Parsed<Value> = { readonly value: Value } | { readonly problem: string };

/** How a value is written, in a word or two, and how it is read. Never throws; `problem` follows the value. */
export interface ValueType<Value> {
  readonly name: string;
  readonly parse: (text: string) => Parsed<Value>;
}

/** How our behaviour compares with ingress-nginx's. */
export type State =
  | { readonly is: 'same' }
  | { readonly is: 'different'; readonly how: string }
  /** Set to anything but its default it has no effect: told of, and where it restricts access, its paths answer 503. */
  | { readonly is: 'refused'; readonly why: string }
  /** There is no such thing in ingress-nginx. */
  | { readonly is: 'ours' };

/** As ingress-nginx classes them. */
export type Risk = 'Low' | 'Medium' | 'High' | 'Critical';

export interface Annotation<Value = unknown> {
  /** Without the prefix. */
  readonly name: string;
  readonly prefix: typeof nginxPrefix | typeof ownPrefix;
  /** Older names of the same. */
  readonly aliases: readonly string[];
  readonly type: ValueType<Value>;
  /** What holds without it, as it would be written; null for nothing at all. */
  readonly default: string | null;
  readonly scope: 'location' | 'ingress';
  readonly risk: Risk;
  /** It keeps someone out: where it cannot be understood, its paths are refused, never served without it. */
  readonly restricts: boolean;
  readonly state: State;
  /** The key of the ConfigMap that says what holds without the annotation; null: none does. */
  readonly global: string | null;
  /** One sentence for the table. */
  readonly doc: string;
}

export const same: State = Object.freeze({ is: 'same' });

export function different(how: string): State {
  return Object.freeze({ is: 'different', how });
}

export function refused(why: string): State {
  return Object.freeze({ is: 'refused', why });
}

interface Details {
  readonly prefix?: Annotation['prefix'];
  readonly aliases?: readonly string[];
  readonly default?: string;
  readonly scope?: Annotation['scope'];
  readonly risk?: Risk;
  readonly restricts?: boolean;
  readonly state?: State;
  /** True: the key of the same name. */
  readonly global?: true | string;
}

/** Declares an annotation: by default one of ingress-nginx's, of a location, of low risk, with the same effect. */
export function annotation<Value>(
  name: string,
  type: ValueType<Value>,
  doc: string,
  details: Details = {},
): Annotation<Value> {
  return Object.freeze({
    name,
    type,
    doc,
    prefix: details.prefix ?? nginxPrefix,
    aliases: Object.freeze([...(details.aliases ?? [])]),
    default: details.default ?? null,
    scope: details.scope ?? 'location',
    risk: details.risk ?? 'Low',
    restricts: details.restricts ?? false,
    state: details.state ?? same,
    global: details.global === true ? name : (details.global ?? null),
  });
}

/** The whole key of an annotation. */
export function annotationKey({ prefix, name }: Pick<Annotation, 'prefix' | 'name'>): string {
  return prefix + name;
}
