/** Where `needle` ends in `text` for the first time within [from, to), or -1. */
type Search = (text: string, from: number, to: number) => number;

/**
 * Knuth, Morris and Pratt's search: each character of the text is looked at a bounded number of times,
 * whatever it repeats. The engine's own indexOf gives no such promise.
 */
function createSearch(needle: string): Search {
  /** For each prefix of the needle, how long its longest border is: where to go on after a mismatch. */
  const borders = new Int32Array(needle.length);
  for (let i = 1, border = 0; i < needle.length; i++) {
    while (border > 0 && needle[i] !== needle[border]) border = borders[border - 1]!;
    if (needle[i] === needle[border]) border++;
    borders[i] = border;
  }
  return (text, from, to) => {
    let matched = 0;
    for (let i = from; i < to; i++) {
      const unit = text.charCodeAt(i);
      while (matched > 0 && needle.charCodeAt(matched) !== unit) matched = borders[matched - 1]!;
      if (needle.charCodeAt(matched) === unit) matched++;
      if (matched === needle.length) return i + 1;
    }
    return -1;
  };
}

/**
 * A test for texts in which each `*` of the pattern stands for any run of characters, none and line breaks
 * included, and every other character for itself: there is no escape. Anchored at both ends; time linear in
 * the lengths of text and pattern.
 */
export function compileWildcard(pattern: string): (text: string) => boolean {
  const parts = pattern.split('*');
  if (parts.length === 1) return (text) => text === pattern;
  const head = parts[0]!;
  const tail = parts.at(-1)!;
  const searches = parts
    .slice(1, -1)
    .filter((part) => part !== '')
    .map(createSearch);
  const least = head.length + tail.length;
  return (text) => {
    if (text.length < least || !text.startsWith(head) || !text.endsWith(tail)) return false;
    const end = text.length - tail.length;
    let position = head.length;
    // The earliest place for each part leaves the most room for the ones behind it.
    for (const search of searches) {
      position = search(text, position, end);
      if (position < 0) return false;
    }
    return true;
  };
}
