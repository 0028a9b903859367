import type { ParseArgsOptionsConfig } from 'node:util';
import type { PromptIo } from '../passphrase.ts';

/** What the family of commands may touch of the process. */
export interface PkiIo extends PromptIo {
  readonly stdout: NodeJS.WritableStream;
}

/** What a subcommand works with. */
export interface Context {
  readonly io: PkiIo;
  /** Milliseconds since 1970, the same for the whole command. */
  readonly now: number;
  /** A line for standard output. */
  say(line: string): void;
  /** A line for standard error, `warning: ` in front. */
  warn(line: string): void;
}

/** Options as parsed: the last of each, or all where it may come more than once. */
export type Values = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;

export interface Subcommand {
  /** What stands behind its name: `CSR.json [--out NAME]`. */
  readonly usage: string;
  readonly summary: string;
  /** Paragraphs and options below the usage line. */
  readonly help: string;
  readonly options: ParseArgsOptionsConfig;
  /** How many positional arguments it takes. */
  readonly positionals: { readonly min: number; readonly max: number };
  run(positionals: readonly string[], values: Values, context: Context): Promise<number>;
}

/** An option that takes a text, or undefined when it was not given. */
export function text(values: Values, name: string): string | undefined {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
}

export const flag = (values: Values, name: string): boolean => values[name] === true;

/** An option that may come more than once. */
export function list(values: Values, name: string): readonly string[] {
  const value = values[name];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}
