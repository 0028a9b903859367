import { PolicyTests } from './schema.ts';

/** The text of `config/policy-tests.schema.json`: JSON Schema 2020-12, for editors. */
export function policyTestsSchemaText(): string {
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'urn:mtls-ingress:policy-tests',
    title: 'mtls-ingress policy tests',
    ...(JSON.parse(JSON.stringify(PolicyTests)) as object),
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}
