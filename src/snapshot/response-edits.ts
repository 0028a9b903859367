/** How responses are changed on their way to the client. */
export interface ResponseEdits {
  /** Lower-case name, to name and value as written. */
  readonly set: ReadonlyMap<string, readonly [name: string, value: string]>;
  /** Lower case. */
  readonly remove: ReadonlySet<string>;
  /** The value of Strict-Transport-Security; null for none. */
  readonly hsts: string | null;
  readonly cookieDomains: readonly Replacement[];
  readonly cookiePaths: readonly Replacement[];
  readonly locations: readonly Replacement[];
}

/** Gives the text with the replacement done, or null where it does not apply. */
export type Replacement = (text: string) => string | null;
