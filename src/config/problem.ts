import { printable } from './text.ts';

export type Severity = 'error' | 'warning';

/** Something about a configuration file that is wrong (`error`) or ought to be looked at (`warning`). */
export interface Problem {
  /** The configuration file, as it was named on the command line. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units, as editors count. */
  readonly column: number;
  /** JSON pointer (RFC 6901) to the place in the file; empty for the file as a whole. */
  readonly path: string;
  /** What is wrong, and what to write instead. Holds no line breaks or control characters. */
  readonly message: string;
  readonly severity: Severity;
}

/** A problem whose line is yet to be looked up: what the checks over plain data find. */
export interface Finding {
  /** JSON pointer. */
  readonly path: string;
  readonly message: string;
  readonly severity: Severity;
  /** The key stands out there and not its value: for a key that should not be, or that lacks something. */
  readonly atKey?: boolean;
  /**
   * Other places that it was concluded from, as JSON pointers in which `*` is every item of a list. Where one of them
   * is not what was meant (it does not fit the schema, say), nothing can be concluded.
   */
  readonly dependsOn?: readonly string[];
}

/** `file:line:column /path/in/file what is wrong, and what to write instead`, on one line whatever the file holds. */
export function formatProblem({ file, line, column, path, message, severity }: Problem): string {
  const label = severity === 'warning' ? 'warning: ' : '';
  return printable(`${file}:${line}:${column} ${path === '' ? '/' : path} ${label}${message}`);
}

export function hasErrors(problems: readonly { readonly severity: Severity }[]): boolean {
  return problems.some((problem) => problem.severity === 'error');
}

/** By position, errors before warnings at the same one. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  return [...problems].sort(
    (a, b) => a.line - b.line || a.column - b.column || a.severity.localeCompare(b.severity),
  );
}

export function error(path: string, message: string): Finding {
  return { path, message, severity: 'error' };
}

export function warning(path: string, message: string): Finding {
  return { path, message, severity: 'warning' };
}

/** A finding that holds only if these places are as they were meant to be. */
export function given(finding: Finding, ...dependsOn: readonly string[]): Finding {
  return { ...finding, dependsOn: [...(finding.dependsOn ?? []), ...dependsOn] };
}

/** A JSON pointer (RFC 6901 §3) of these keys and indices. */
export function pointer(...parts: readonly (string | number)[]): string {
  let text = '';
  for (const part of parts) text += `/${typeof part === 'number' ? part : escapeKey(part)}`;
  return text;
}

function escapeKey(key: string): string {
  return /[~/]/.test(key) ? key.replaceAll('~', '~0').replaceAll('/', '~1') : key;
}

/** The keys of a JSON pointer. */
export function pointerKeys(path: string): string[] {
  return path
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}
