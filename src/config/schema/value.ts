import { Type, type TSchema } from 'typebox';

/** No key that is not declared. */
export const strict = { additionalProperties: false };

/** `500ms`, `60s`, `5m`, `1h`. Read by `parseDuration` in units.ts. */
export const Duration = Type.String({
  pattern: '^[0-9]+(ms|s|m|h)$',
  description: 'A length of time: a whole number and a unit, one of ms, s, m, h.',
  examples: ['60s'],
});

/** Bytes as nginx writes them: `8k`, `1m`, `1g`, `0` for no limit. Read by `parseSize` in units.ts. */
export const Size = Type.String({
  pattern: '^[0-9]+[kmg]?$',
  description: 'A number of bytes, with k, m or g for 1024, 1024², 1024³; "0" for no limit.',
  examples: ['1m'],
});

export const FilePath = Type.String({
  minLength: 1,
  description: 'A file, relative to the configuration file.',
});

export const RoutePath = Type.String({ pattern: '^/', description: 'A path that starts with /.' });

/**
 * A map with free keys. Without `additionalProperties: false` a key that misses the pattern would pass with
 * whatever value it has.
 */
export function record<Value extends TSchema>(
  keys: { pattern: string; description: string },
  value: Value,
  options = {},
) {
  return Type.Record(Type.String({ pattern: keys.pattern }), value, {
    ...strict,
    propertyNames: { description: keys.description },
    ...options,
  });
}
