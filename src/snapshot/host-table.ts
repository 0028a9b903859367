import type { Host } from './snapshot.ts';
import { anyName, wildcardParent } from './host-name.ts';

/**
 * Finds a host by name: exact names first, then one-label wildcards, then the one named `*`, which nginx calls its
 * default server. Independent of the number of hosts.
 */
export interface HostTable {
  readonly all: readonly Host[];
  /** By a normalised name (see host-name.ts). */
  find(name: string): Host | null;
}

/**
 * Builds the table. Names must be normalised and unique over all hosts; the loader reports those that are
 * not, and here the first one keeps the name.
 */
export function createHostTable(hosts: readonly Host[]): HostTable {
  const exact = new Map<string, Host>();
  const wildcards = new Map<string, Host>();
  let rest: Host | null = null;
  for (const host of hosts) {
    for (const name of host.names) {
      if (name === anyName) {
        rest ??= host;
        continue;
      }
      const [table, key] = name.startsWith('*.') ? [wildcards, name.slice(2)] : [exact, name];
      if (!table.has(key)) table.set(key, host);
    }
  }
  return Object.freeze({
    all: Object.freeze([...hosts]),
    find(name: string): Host | null {
      const found = exact.get(name);
      if (found !== undefined) return found;
      const parent = wildcardParent(name);
      return (parent === null ? undefined : wildcards.get(parent)) ?? rest;
    },
  });
}
