import { Config } from './schema.ts';

/**
 * The schema as editors and other tools read it: JSON Schema 2020-12. typebox refers to its definitions by the bare name
 * that each has for an `$id`; elsewhere that is a document of its own, and the references become pointers.
 */
export function configJsonSchema(): Record<string, unknown> {
  const { $defs } = JSON.parse(JSON.stringify(Config)) as { $defs: Record<string, Schema> };
  const { Config: root = {}, ...definitions } = $defs;
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'urn:mtls-ingress:configuration',
    title: 'mtls-ingress configuration',
    ...(withPointers(root) as Schema),
    // What these hold may all stand in included files.
    required: ['listeners'],
    anyOf: [{ required: ['hosts', 'upstreams'] }, { required: ['include'] }],
    $defs: withPointers(definitions),
  };
}

type Schema = Readonly<Record<string, unknown>>;

function withPointers(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withPointers);
  if (typeof schema !== 'object' || schema === null) return schema;
  const { $id: _, ...rest } = schema as Schema;
  const entries = Object.entries(rest).map(([key, value]) => [
    key,
    key === '$ref' && typeof value === 'string' ? `#/$defs/${value}` : withPointers(value),
  ]);
  return Object.fromEntries(entries);
}

/** The text of `config/mtls-ingress.schema.json`. */
export function configJsonSchemaText(): string {
  return `${JSON.stringify(configJsonSchema(), null, 2)}\n`;
}
