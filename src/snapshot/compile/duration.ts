import { parseDuration } from '../../config/units.ts';

/** Milliseconds of a duration as written, or the default where there is none. */
export function duration(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : parseDuration(text);
}
