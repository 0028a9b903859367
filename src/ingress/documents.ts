/** One YAML document of a file. */
export interface DocumentText {
  /** With its `---`, if it has one. */
  readonly text: string;
  /** The line it begins on, from 1. */
  readonly line: number;
}

/**
 * Splits a stream of YAML documents at its markers. `---` and `...` at the start of a line end a document wherever they stand, even
 * within a block of text (YAML 1.2 §9.1.2), so no parser is needed for that: each document can be parsed, and remembered,
 * by itself. Linear in the text.
 */
export function splitDocuments(source: string): DocumentText[] {
  const text = source.startsWith('\uFEFF') ? source.slice(1) : source;
  const documents: DocumentText[] = [];
  let start = 0;
  let line = 1;
  const take = (end: number, next: number): void => {
    const document = text.slice(start, end);
    if (!isBlank(document)) documents.push({ text: document, line });
    line += lineBreaks(text, start, next);
    start = next;
  };
  // Not the flag m: its ^ takes U+2028 for a line break, which YAML does not.
  for (const match of text.matchAll(/(?:(?<=[\r\n])|^)(?:---|\.\.\.)(?=[ \t\r\n]|$)/g)) {
    const isEnd = match[0] === '...';
    take(match.index, isEnd ? match.index + match[0].length : match.index);
  }
  take(text.length, text.length);
  return documents;
}

/** Comments, blank lines, and the directive that says what is so anyway. */
function isBlank(document: string): boolean {
  let start = document.startsWith('---') ? 3 : 0;
  while (start < document.length) {
    const end = document.indexOf('\n', start);
    const content = document.slice(start, end === -1 ? undefined : end).trim();
    if (content !== '' && !content.startsWith('#') && content !== '%YAML 1.2') return false;
    if (end === -1) return true;
    start = end + 1;
  }
  return true;
}

function lineBreaks(text: string, start: number, end: number): number {
  let count = 0;
  for (let at = text.indexOf('\n', start); at !== -1 && at < end; at = text.indexOf('\n', at + 1)) count++;
  return count;
}
