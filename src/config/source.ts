import type { CompileProblem, Material } from '../snapshot/compile.ts';
import type { Config } from './schema.ts';

/** Where configuration comes from: a file today, a folder of manifests or a Kubernetes API later. */
export interface Source {
  /** Never rejects: what cannot be read is a problem. */
  load(): Promise<Loaded | Unloadable>;
  /** Calls back when something that `load` read has changed, folded over bursts. */
  watch(onChange: () => void): { close(): void };
}

export interface Loaded {
  readonly ok: true;
  readonly config: Config;
  readonly material: Material;
  /** What ought to be looked at, a line each, with its place. */
  readonly warnings: readonly string[];
  /** A problem found later, with its place in the source: `file:line:column /path what is wrong`. */
  place(problem: CompileProblem): string;
}

export interface Unloadable {
  readonly ok: false;
  /** A line each, with its place. */
  readonly problems: readonly string[];
}
