import { writeFileSync } from 'node:fs';
import { configJsonSchemaText } from './json-schema.ts';

// `npm run schema`
writeFileSync(new URL('../../config/mtls-ingress.schema.json', import.meta.url), configJsonSchemaText());
