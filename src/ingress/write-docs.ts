import { writeFileSync } from 'node:fs';
import { families } from './annotations/registry.ts';
import { annotationsMarkdown } from './docs.ts';
import { settingGroups } from './settings/registry.ts';

// `npm run docs`
writeFileSync(
  new URL('../../docs/annotations.md', import.meta.url),
  annotationsMarkdown(families, settingGroups),
);
