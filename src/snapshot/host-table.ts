import type { Host } from './snapshot.ts';

/** Finds a host by name: exact names first, then one-label wildcards. Independent of the number of hosts. */
export interface HostTable {
  readonly all: readonly Host[];
  /** By a normalised name (see host-name.ts). */
  find(name: string): Host | null;
}
