import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dashboards } from './dashboards.ts';
import { render } from './render.ts';

for (const dashboard of dashboards) {
  writeFileSync(join(import.meta.dirname, `${dashboard.uid}.json`), render(dashboard));
}
