import type { Rig } from './rig.ts';
import { oursWith, sideBySide, tellDifference } from './side-by-side.ts';

/** What a line of the access log costs for each request, read at the other end of a pipe as a log collector does. */
export async function measureAccessLog(rig: Rig): Promise<void> {
  const variants = [
    oursWith('with an access log', 'accessLog: true'),
    oursWith('without', 'accessLog: false'),
  ];
  tellDifference(await sideBySide(rig, variants));
}
