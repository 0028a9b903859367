/**
 * What a rule came to: true, false, or null where it could not be judged. Kleene's logic of three values: null
 * stays null under `not`, so that what cannot be judged denies on either side of it.
 */
export type Truth = boolean | null;

export const negate = (truth: Truth): Truth => (truth === null ? null : !truth);

/**
 * What a group comes to. Asks its parts only until the answer is certain; a group without parts cannot be
 * judged, and so lets no one in.
 */
export function combine<Part>(
  kind: 'all' | 'any',
  parts: readonly Part[],
  judge: (part: Part) => Truth,
): Truth {
  const decisive = kind === 'any';
  let unsure = parts.length === 0;
  for (const part of parts) {
    const truth = judge(part);
    if (truth === decisive) return decisive;
    unsure ||= truth === null;
  }
  return unsure ? null : !decisive;
}
