import { writeFileSync } from 'node:fs';
import { policyTestsSchemaText } from '../policy-tests/json-schema.ts';
import { configJsonSchemaText } from './json-schema.ts';

// `npm run schema`
const write = (name: string, text: string): void =>
  writeFileSync(new URL(`../../config/${name}`, import.meta.url), text);
write('mtls-ingress.schema.json', configJsonSchemaText());
write('policy-tests.schema.json', policyTestsSchemaText());
