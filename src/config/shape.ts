import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { Settings } from 'typebox/system';
import { Errors } from 'typebox/value';
import { error, type Finding, pointer, pointerKeys } from './problem.ts';
import { Config } from './schema.ts';
import { didYouMean, listOf, nearest, quote } from './text.ts';

/** More are not told at once. It bounds the work too: a file of 4 MiB has room for a million. */
const maxErrors = 2000;

/** Something that the schema does not allow, and what would make it fit. */
export interface Misfit extends Finding {
  readonly mend: Mend;
}

export type Mend =
  /** Something else belongs there: what fits `schema`. */
  | { readonly kind: 'replace'; readonly path: string; readonly schema: Schema }
  /** The key is wrong; its value belongs under the one that was likely meant, or where null, under a free one. */
  | { readonly kind: 'rename'; readonly path: string; readonly meant: string | null }
  /** The key has no business there. `home`: the place that it may have been meant for. */
  | { readonly kind: 'remove'; readonly path: string; readonly home: string | null };

/** As much of JSON Schema as schema.ts writes. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly pattern?: string;
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly propertyNames?: Schema;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minimum?: number;
  readonly minItems?: number;
  readonly minProperties?: number;
  readonly description?: string;
  readonly examples?: readonly unknown[];
}

type SchemaError = ReturnType<typeof Errors>[number];

const definitions = (Config as unknown as { $defs: Readonly<Record<string, Schema>> }).$defs;

/**
 * Everything in the data that the schema does not allow, with one finding for each place: where a place may
 * hold one of several things, of the one that was likely meant. Empty means: the data is a `Config`.
 */
export function checkShape(data: unknown): Misfit[] {
  return checkConfig(data);
}

/**
 * The same for another schema, one without references. Empty means: the data fits.
 * @param unnamed What is said where nothing more precise is known.
 */
export function shapeCheck(schema: TSchema, unnamed: string): (data: unknown) => Misfit[] {
  return checkOf(Compile(schema), schema, unnamed);
}

/** Compiled: a hundred times faster than looking for errors, and most files have none. */
function checkOf(
  fits: { Check(data: unknown): boolean },
  whole: Schema,
  unnamed: string,
): (data: unknown) => Misfit[] {
  return (data) => {
    if (fits.Check(data)) return [];
    const before = Settings.Get().maxErrors;
    // typebox stops at eight errors unless told otherwise, for everyone in the process at once.
    Settings.Set({ maxErrors });
    try {
      const misfits = misfitsOf(whole, data, '');
      return misfits.length > 0 ? misfits : [misfit('', unnamed, whole)];
    } finally {
      Settings.Set({ maxErrors: before });
    }
  };
}

const checkConfig = checkOf(
  Compile(Config),
  definitions['Config']!,
  'does not fit config/mtls-ingress.schema.json',
);

function misfitsOf(schema: Schema, value: unknown, path: string): Misfit[] {
  const errors: readonly SchemaError[] = Errors(definitions as never, schema as never, value);
  const unions = errors.filter((fault) => fault.keyword === 'anyOf');
  const within = (fault: SchemaError, union: SchemaError): boolean =>
    fault.schemaPath.startsWith(`${union.schemaPath}/anyOf/`) &&
    (fault.instancePath === union.instancePath || fault.instancePath.startsWith(`${union.instancePath}/`));
  return errors
    .filter((fault) => !unions.some((union) => within(fault, union)))
    .flatMap((fault) => {
      const place = path + fault.instancePath;
      const part = schemaAt(schema, fault.schemaPath);
      const given = valueAt(value, fault.instancePath);
      return fault.keyword === 'anyOf'
        ? unionMisfits(part, given, place)
        : faultMisfits(fault, part, given, place);
    });
}

/** What is wrong with a value that fits none of several schemas. */
function unionMisfits(union: Schema, value: unknown, path: string): Misfit[] {
  const branches = flatten(union);
  const type = typeOf(value);
  const constants = branches.filter((branch) => branch.const !== undefined);
  if (constants.length === branches.length) {
    const allowed = constants.map((branch) => String(branch.const));
    const meant = typeof value === 'string' ? didYouMean(value, allowed) : '';
    return [misfit(path, `must be ${listOf(allowed.map(quote))}, not ${quote(value)}${meant}`, union)];
  }
  const fitting = branches.filter((branch) => branch.type === type);
  if (fitting.length === 0) {
    const fault = `must be ${listOf(branches.map(describe))}, not ${named(value)}${hint(branches, value)}`;
    return [misfit(path, fault, union)];
  }
  const [best, next] = fitting
    .map((branch) => ({ branch, score: familiarKeys(branch, value) }))
    .sort((a, b) => b.score - a.score);
  if (next === undefined || best!.score > next.score) return misfitsOf(best!.branch, value, path);
  const keys = Object.keys(value as object);
  const known = fitting.flatMap((branch) => Object.keys(branch.properties ?? {}));
  const meant = keys.length === 1 ? didYouMean(keys[0]!, known) : '';
  return [misfit(path, `must be ${listOf(fitting.map(describe))}${meant}`, union)];
}

/** How much a map looks like one that the schema describes. */
function familiarKeys({ properties = {}, patternProperties = {} }: Schema, value: unknown): number {
  const patterns = Object.keys(patternProperties).map((pattern) => new RegExp(pattern, 'u'));
  let score = 0;
  for (const key of Object.keys(value as object)) {
    if (Object.hasOwn(properties, key)) score += 2;
    else if (patterns.some((pattern) => pattern.test(key))) score += 1;
  }
  return score;
}

function faultMisfits(fault: SchemaError, schema: Schema, value: unknown, path: string): Misfit[] {
  if (fault.keyword === 'additionalProperties') {
    return fault.params.additionalProperties.map((key) => unknownKey(schema, key, path));
  }
  if (fault.keyword === 'required') {
    return fault.params.requiredProperties.map((key) => {
      const wanted = schema.properties?.[key] ?? {};
      const mend = { kind: 'replace', path: path + pointer(key), schema: wanted } as const;
      return { ...error(path, `lacks ${quote(key)}: ${describe(wanted)}`), atKey: true, mend };
    });
  }
  // `additionalProperties: false` once more, at each key; and key descriptions, which assert nothing.
  if (fault.keyword === 'boolean' || fault.keyword === 'propertyNames') return [];
  return [misfit(path, faultMessage(fault, schema, value), schema)];
}

function faultMessage(fault: SchemaError, schema: Schema, value: unknown): string {
  if (fault.keyword === 'type') {
    return `must be ${describe(schema)}, not ${named(value)}${hint([schema], value)}`;
  }
  if (fault.keyword === 'minimum') return `must be ${fault.params.limit} or more, not ${quote(value)}`;
  if (fault.keyword === 'maximum') return `must be ${fault.params.limit} or less, not ${quote(value)}`;
  if (fault.keyword === 'pattern') return `must be ${describe(schema)}, not ${quote(value)}`;
  if (['minLength', 'minProperties', 'minItems'].includes(fault.keyword)) {
    return `must not be empty: write ${describe(schema)}`;
  }
  // A keyword that schema.ts does not use.
  return fault.message;
}

function misfit(path: string, message: string, schema: Schema): Misfit {
  return { ...error(path, message), mend: { kind: 'replace', path, schema } };
}

function unknownKey(schema: Schema, key: string, parent: string): Misfit {
  const properties = schema.properties ?? {};
  const allowed = Object.keys(properties);
  const near = nearest(key, allowed);
  const path = parent + pointer(key);
  const say = (message: string, mend: Mend): Misfit => ({ ...error(path, message), atKey: true, mend });
  if (near !== null) {
    const message = `unknown key ${quote(key)}, did you mean ${quote(near)}?`;
    return say(message, { kind: 'rename', path, meant: near });
  }
  const owner = allowed.find((name) => Object.hasOwn(resolve(properties[name]!).properties ?? {}, key));
  if (owner !== undefined) {
    const home = parent + pointer(owner, key);
    const message = `unknown key ${quote(key)} here: it belongs into ${quote(owner)}`;
    return say(message, { kind: 'remove', path, home });
  }
  if (allowed.length > 0) {
    const message = `unknown key ${quote(key)}; here may stand ${listOf(allowed)}`;
    return say(message, { kind: 'remove', path, home: null });
  }
  const message = `${quote(key)} is not ${schema.propertyNames?.description ?? 'a key'}`;
  return say(message, { kind: 'rename', path, meant: null });
}

/** What to write, in a few words. */
function describe(schema: Schema): string {
  const { type, const: constant, anyOf, properties, propertyNames, description, examples } = resolve(schema);
  if (constant !== undefined) return quote(constant);
  if (anyOf !== undefined) return listOf([...new Set(flatten(schema).map(describe))]);
  const words = description === undefined ? null : lowerFirst(description);
  if (type === 'integer') return 'a whole number';
  if (type === 'boolean') return 'true or false';
  if (type === 'array') return words === null ? 'a list' : `a list (${words})`;
  if (type === 'string') {
    return `${words ?? 'text'}${examples?.[0] === undefined ? '' : `, such as ${quote(examples[0])}`}`;
  }
  const keys = Object.keys(properties ?? {});
  if (keys.length === 1) return `{ ${keys[0]}: … }`;
  if (keys.length > 0) return `a map with ${listOf(keys, 'and')}`;
  return propertyNames?.description === undefined
    ? 'a map'
    : `a map where each key is ${propertyNames.description}`;
}

/** `A length of time: …, ms.` as a part of a sentence. */
function lowerFirst(description: string): string {
  return description.replace(/^[A-Z](?=[a-z ])/, (letter) => letter.toLowerCase()).replace(/\.$/, '');
}

/** YAML makes a number of `123`, and a text of `"123"`: the usual slips. */
function hint(schemas: readonly Schema[], value: unknown): string {
  const isNumber = typeof value === 'number' || typeof value === 'boolean';
  if (isNumber && schemas.some(({ type, pattern }) => type === 'string' && matches(pattern, String(value)))) {
    return `; put quotes around it: "${String(value)}"`;
  }
  const isQuoted = typeof value === 'string' && /^-?[0-9]{1,15}$|^true$|^false$/.test(value);
  if (isQuoted && schemas.some(({ type }) => type === typeOf(JSON.parse(value)))) return ' in quotes';
  return '';
}

export function matches(pattern: string | undefined, text: string): boolean {
  return pattern === undefined || new RegExp(pattern, 'u').test(text);
}

function named(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a map' : quote(value);
}

/** The type as a schema's `type` would say it. */
function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value === 'number' && Number.isInteger(value) ? 'integer' : typeof value;
}

/** The schemas of which any may fit. */
export function flatten(schema: Schema): Schema[] {
  const { anyOf, ...rest } = resolve(schema);
  return anyOf === undefined ? [rest] : anyOf.flatMap(flatten);
}

export function resolve(schema: Schema): Schema {
  return schema.$ref === undefined ? schema : definitions[schema.$ref]!;
}

/** typebox leaves `$ref` out of a schema path: what follows it is looked for in what is referred to. */
function schemaAt(root: Schema, path: string): Schema {
  let schema: unknown = resolve(root);
  for (const key of pointerKeys(path)) {
    schema = (schema as Readonly<Record<string, unknown>> | undefined)?.[key];
    if (typeof schema === 'object' && schema !== null && '$ref' in schema) schema = resolve(schema as Schema);
  }
  return schema ?? {};
}

function valueAt(root: unknown, path: string): unknown {
  let value = root;
  for (const key of pointerKeys(path))
    value = (value as Readonly<Record<string, unknown>> | undefined)?.[key];
  return value;
}
