import { readFileSync } from 'node:fs';

/** The program's version, from its package.json: beside `src` in a checkout, beside `dist` in the image. */
export const version: string = readVersion();

function readVersion(): string {
  try {
    const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
    return (JSON.parse(text) as { version: string }).version;
  } catch {
    return 'unknown';
  }
}
