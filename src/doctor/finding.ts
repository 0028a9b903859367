/** What the doctor found. */
export interface Finding {
  /** `error`: clients are refused, or let in who should not be; `warning`: that may come; `info`: good to know. */
  readonly severity: 'error' | 'warning' | 'info';
  /** What was looked at. */
  readonly about: 'runtime' | 'configuration' | 'certificates' | 'upstreams' | 'system';
  /** `file:line:column /path`; null where there is none. */
  readonly place: string | null;
  readonly message: string;
  /** What to do about it. Empty where the message says it. */
  readonly fix: string;
}

/** A finding in the configuration whose line is yet to be looked up. */
export interface PlacedFinding extends Omit<Finding, 'place'> {
  /** JSON pointer. */
  readonly path: string;
}
