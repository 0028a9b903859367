import type { Route } from './snapshot.ts';

/** The routes of one host. Exact beats Prefix; among prefixes, matched by path segment, the longest wins. */
export interface RouteTable {
  readonly all: readonly Route[];
  /** By a normalised path (see path.ts). */
  find(path: string): Route | null;
}
