/** Past these levels YAML is refused (config/document.ts), with the place. */
const maxDepth = 64;

/**
 * JSON, which is YAML, and twenty times faster to parse as what it is. Undefined: no JSON, or with something in it that is for
 * the YAML reader to refuse: a key that stands twice, of which `JSON.parse` takes the last, `__proto__`, or too many
 * levels. So is a key with an escape: V8 14.6 (Node 26) takes some for another that it has met, as `":` for `\"`. Of what it
 * gives, the YAML reader gives the same. Pure; linear in the text.
 *
 * @param text A document, with its `---` if it has one.
 */
export function parseJson(text: string): object | undefined {
  const json = /^---[ \t\r\n]/.test(text) ? text.slice(3) : text;
  if (!/^[ \t\r\n]*\{/.test(json)) return undefined;
  let data: unknown;
  try {
    data = JSON.parse(json);
  } catch {
    return undefined;
  }
  // Of a key that stands twice one is lost, with all below it.
  return countKeys(data, 0) === writtenKeys(json) ? (data as object) : undefined;
}

/** How many keys there are; NaN where there is one that YAML must not have, or there are too many levels. */
function countKeys(data: unknown, depth: number): number {
  if (typeof data !== 'object' || data === null) return 0;
  if (depth >= maxDepth) return NaN;
  let count = 0;
  if (Array.isArray(data)) {
    for (const item of data) count += countKeys(item, depth + 1);
    return count;
  }
  for (const [key, value] of Object.entries(data)) {
    if (key === '__proto__') return NaN;
    count += 1 + countKeys(value, depth + 1);
  }
  return count;
}

/** How many keys JSON has as it is written: texts with a colon behind them; NaN where one has an escape. */
function writtenKeys(json: string): number {
  let count = 0;
  let escape = json.indexOf('\\');
  for (let at = json.indexOf('"'); at !== -1; at = json.indexOf('"', at)) {
    let end = json.indexOf('"', ++at);
    const escaped = escape !== -1 && escape < end;
    // Found once and kept: to look for it from each text on would cost the square of the text.
    while (escape !== -1 && escape < end) {
      at = escape + 2;
      escape = json.indexOf('\\', at);
      if (end < at) end = json.indexOf('"', at);
    }
    at = end + 1;
    let next = json.charCodeAt(at);
    while (next === 0x20 || next === 0x0a || next === 0x0d || next === 0x09) next = json.charCodeAt(++at);
    if (next !== 0x3a) continue;
    if (escaped) return NaN;
    count++;
  }
  return count;
}
