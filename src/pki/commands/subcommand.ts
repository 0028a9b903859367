import type { ParseArgsOptionsConfig } from 'node:util';
import type { PromptIo } from '../passphrase.ts';

/** What the family of commands may touch of the process. */
export interface PkiIo extends PromptIo {
  readonly stdout: NodeJS.WritableStream;
}

/** A request whose answer `pki verify --config` asks for. */
export interface ProxyQuestion {
  /** Path of the configuration file. */
  readonly config: string;
  readonly host: string;
  readonly path: string;
  readonly method: string;
  /** The client's chain, leaf first, DER. */
  readonly chain: readonly Uint8Array[];
}

/** What the proxy would do with it. */
export interface ProxyAnswer {
  /** True: the request is forwarded. */
  readonly forwarded: boolean;
  /** HTTP status of our own answer; null when forwarded. */
  readonly status: number | null;
  /** A code of the closed set of reasons; `ok` when forwarded. */
  readonly reason: string;
  /** For people: which upstream, which rule. */
  readonly detail: string | null;
}

/** Asks the configuration what it would do. Throws PkiError where the configuration cannot be used. */
export type AskProxy = (question: ProxyQuestion) => Promise<ProxyAnswer>;

/** What a subcommand works with. */
export interface Context {
  readonly io: PkiIo;
  /** Milliseconds since 1970, the same for the whole command. */
  readonly now: number;
  readonly askProxy: AskProxy | null;
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
