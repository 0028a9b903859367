import { certificates } from './certificates.ts';
import { handshakes } from './handshakes.ts';
import { host } from './host.ts';
import { overview } from './overview.ts';
import type { Dashboard } from './panel.ts';

/** Every dashboard there is; `npm run dashboards` writes them. */
export const dashboards: readonly Dashboard[] = [overview, handshakes, host, certificates];
