/** Keeps a client at one endpoint, by a cookie. */
export interface Affinity {
  readonly cookie: string;
  readonly mode: 'balanced' | 'persistent';
  /** Whether canaries take part: see the schema. */
  readonly canary: 'sticky' | 'legacy';
  readonly path: string;
  readonly domain: string | null;
  readonly sameSite: 'None' | 'Lax' | 'Strict' | null;
  readonly conditionalSameSiteNone: boolean;
  /** Kept apart for each site that embeds ours (CHIPS). */
  readonly partitioned: boolean;
  /** Null: where the client came by https. */
  readonly secure: boolean | null;
  /** Seconds; null: a session's cookie. */
  readonly maxAge: number | null;
  readonly expires: number | null;
  readonly changeOnFailure: boolean;
}
