/** What an expression of PromQL names. */
export interface Named {
  /** Each metric with the labels of its own matchers. */
  readonly metrics: readonly { readonly name: string; readonly labels: readonly string[] }[];
  /** Labels in by, without, on, ignoring, group_left and group_right. */
  readonly grouped: readonly string[];
}

const keywords = new Set(['and', 'or', 'unless', 'bool', 'offset', 'inf', 'nan']);
const grouping = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right']);

/**
 * Reads the metrics and labels out of an expression of PromQL, as far as its syntax tells them: enough for those in
 * our dashboards and alerts. Throws where it meets what it does not know.
 */
export function namesIn(expression: string): Named {
  const tokens = tokensOf(expression);
  const metrics: { name: string; labels: string[] }[] = [];
  const grouped: string[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at]!;
    if (token === '{') throw new Error(`matchers without a metric in ${expression}`);
    if (!/^[a-zA-Z_:]/.test(token) || keywords.has(token)) continue;
    const next = tokens[at + 1];
    if (grouping.has(token)) {
      if (next !== '(') continue;
      for (at += 2; tokens[at] !== ')'; at++) if (tokens[at] !== ',') grouped.push(tokens[at]!);
    } else if (next === '{') {
      const labels: string[] = [];
      for (at += 2; tokens[at] !== '}'; at++) {
        if (/^[a-zA-Z_]/.test(tokens[at]!)) labels.push(tokens[at]!);
        if (at >= tokens.length) throw new Error(`no end of matchers in ${expression}`);
      }
      metrics.push({ name: token, labels });
      // What is called is a function, and an aggregation may have its grouping between name and parenthesis.
    } else if (next !== '(' && !grouping.has(next ?? '')) metrics.push({ name: token, labels: [] });
  }
  return { metrics, grouped };
}

function tokensOf(expression: string): string[] {
  // Ranges go first: `1h` and `$__rate_interval` in them are no names. A string may hold anything.
  const bare = expression.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""').replaceAll(/\[[^\]]*\]/g, '');
  const tokens = bare.match(/[a-zA-Z_:][a-zA-Z0-9_:]*|""|\d+(?:\.\d+)?[smhdwy]?|[=!<>]=|[=!]~|\S/g) ?? [];
  return tokens;
}
