import { flatten, matches, resolve, type Schema } from './shape.ts';

/**
 * A small value that fits a schema, to stand where one does not. `number` makes its texts differ from those of other
 * numbers, so that two stand-ins are not taken for one name, path or endpoint written twice.
 */
export function standIn(schema: Schema, number: number): unknown {
  const [only = {}] = flatten(schema).map(resolve);
  if (only.const !== undefined) return only.const;
  switch (only.type) {
    case 'string':
      return text(only, number);
    case 'integer':
      // A port of 0 clashes with none.
      return only.minimum ?? 0;
    case 'boolean':
      return false;
    case 'array':
      return (only.minItems ?? 0) === 0 ? [] : [standIn(only.items ?? {}, number)];
    case 'object':
      return map(only, number);
    default:
      return null;
  }
}

function text({ pattern, examples = [] }: Schema, number: number): unknown {
  const name = freeKey(number);
  const candidates = [name, `/${name}`, `${name}:1`, ...examples];
  return candidates.find((candidate) => matches(pattern, String(candidate))) ?? null;
}

function map({ properties = {}, required = [], minProperties = 0 }: Schema, number: number): unknown {
  const keys = required.length > 0 ? required : Object.keys(properties).slice(0, minProperties);
  return Object.fromEntries(keys.map((key) => [key, standIn(properties[key] ?? {}, number)]));
}

/** A key for a map whose keys are free. */
export function freeKey(number: number): string {
  return `stand-in-${number}`;
}
