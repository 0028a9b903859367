const count = /\{([0-9]{1,6})(?:,([0-9]{0,6}))?\}/y;

/** Behind the character class that opens at `start`. */
function classEnd(pattern: string, start: number): number {
  let at = start + 1;
  if (pattern[at] === '^') at++;
  if (pattern[at] === ']') at++;
  while (at < pattern.length && pattern[at] !== ']') {
    const named = pattern.startsWith('[:', at) ? pattern.indexOf(':]', at + 2) : -1;
    if (named >= 0) at = named + 2;
    else at += pattern[at] === '\\' ? 2 : 1;
  }
  return at + 1;
}

/** Behind the escape that opens at `start`: `\d`, `\x{10FFFF}`, `\p{Greek}`. */
function escapeEnd(pattern: string, start: number): number {
  if (!/[pPx]/.test(pattern[start + 1] ?? '') || pattern[start + 2] !== '{') return start + 2;
  const end = pattern.indexOf('}', start);
  return end < 0 ? pattern.length : end + 1;
}

/**
 * About how many instructions a pattern compiles to, from its text alone and in time linear in its length.
 * The compiler tells the true number only after it has written out every `{1000}`, which takes a hostile
 * pattern of a kilobyte to a second and half a gigabyte.
 */
export function estimateRegexSize(pattern: string): number {
  const outer: number[] = [];
  let total = 0;
  /** The size of what a count behind it would repeat. */
  let last = 0;
  const add = (size: number): void => {
    total += size;
    last = size;
  };
  for (let at = 0; at < pattern.length;) {
    const character = pattern[at]!;
    if (character === '\\' && pattern[at + 1] === 'Q') {
      const end = pattern.indexOf('\\E', at + 2);
      const stop = end < 0 ? pattern.length : end;
      total += stop - at - 2;
      last = 1;
      at = stop + 2;
    } else if (character === '\\') {
      add(1);
      at = escapeEnd(pattern, at);
    } else if (character === '[') {
      add(1);
      at = classEnd(pattern, at);
    } else if (character === '(') {
      outer.push(total);
      total = 0;
      last = 0;
      at++;
      // `(?:`, `(?P<name>`, `(?i:`; `(?i)` closes at once.
      if (pattern[at] === '?') {
        while (at < pattern.length && !':>)'.includes(pattern[at]!)) at++;
        if (pattern[at] !== ')') at++;
      }
    } else if (character === ')') {
      const inner = total + 2;
      total = outer.pop() ?? 0;
      add(inner);
      at++;
    } else if (character === '*' || character === '+' || character === '?') {
      total++;
      last++;
      at++;
    } else if (character === '|') {
      add(1);
      at++;
    } else {
      count.lastIndex = at;
      const found = character === '{' ? count.exec(pattern) : null;
      if (found === null) {
        add(1);
        at++;
      } else {
        const times = Math.max(1, Number(found[1]), Number(found[2] ?? 0));
        total += last * (times - 1);
        last *= times;
        at = count.lastIndex;
      }
    }
  }
  return outer.reduce((sum, size) => sum + size, total);
}
