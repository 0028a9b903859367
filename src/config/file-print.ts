import type { Stats } from 'node:fs';

/** The clock that files are stamped by moves in ticks of up to 10 ms, so a stamp may lie that far back. */
export const clockTickMs = 10;

/** What is known of a file without reading it. */
export interface FilePrint {
  /** Differs where the contents, the mode or the file behind the name may. */
  readonly print: string;
  /** Milliseconds since 1970; 0 where it is not there. */
  readonly changedAt: number;
}

/** Times in a fraction of a microsecond: the clock that files are stamped by is far coarser. */
export function printOf({ dev, ino, size, mode, mtimeMs, ctimeMs }: Stats): FilePrint {
  return { print: `${dev} ${ino} ${size} ${mode} ${mtimeMs} ${ctimeMs}`, changedAt: ctimeMs };
}
