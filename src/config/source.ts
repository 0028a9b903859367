import type { CompileProblem, Material } from '../snapshot/compile.ts';
import type { Config } from './schema.ts';

/** What problems of a source are counted by: kinds of Kubernetes objects; `file` for what is of none. */
export const problemKinds = [
  'file',
  'ConfigMap',
  'Endpoints',
  'EndpointSlice',
  'Ingress',
  'IngressClass',
  'Secret',
  'Service',
] as const;

/** What a source gave and cannot be served as it was meant (`error`), or ought to be looked at. */
export interface SourceProblem {
  readonly severity: 'error' | 'warning';
  readonly kind: (typeof problemKinds)[number];
  /** With its place, on one line. */
  readonly line: string;
}

/** Absolute paths. */
export type Changed = ReadonlySet<string>;

/** Where configuration comes from: a file, a folder of manifests or a Kubernetes API. */
export interface Source {
  /**
   * Never rejects: what cannot be read is a problem.
   *
   * @param changed What the watch told of, where nobody else asked for this: the source need not look at anything else.
   */
  load(changed?: Changed | null): Promise<Loaded | Unloadable>;
  /**
   * Calls back when something that `load` read has changed, folded over bursts; with what has, where the source can tell. Each is to
   * be loaded: what was told of once is not told of again.
   */
  watch(onChange: (changed?: Changed) => void): { close(): void };
  /** How the source itself does, for people. */
  status?(): unknown;
  /** Lets go of whatever it holds open. Nothing is loaded afterwards. Never rejects. */
  close?(): Promise<void>;
}

export interface Loaded {
  readonly ok: true;
  readonly config: Config;
  readonly material: Material;
  /** The absolute path of the file that `denyList` names, where it is a file of its own. */
  readonly denyListFile?: string;
  /** What ought to be looked at, a line each, with its place. */
  readonly warnings: readonly string[];
  /** The same for machines, where the source can tell; all of them, however many lines `warnings` holds. */
  readonly problems?: readonly SourceProblem[];
  /** A problem found later, with its place in the source: `file:line:column /path what is wrong`. */
  place(problem: CompileProblem): string;
}

export interface Unloadable {
  readonly ok: false;
  /** A line each, with its place. */
  readonly problems: readonly string[];
}
