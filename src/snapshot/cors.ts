/** Which pages of other origins may use a route (Fetch standard, "CORS protocol"): ready to be written. */
export interface Cors {
  /** Everyone. Then neither an origin nor credentials are ever named in an answer. */
  readonly anyOrigin: boolean;
  /** Lower case, as browsers write origins (RFC 6454 §6.1). */
  readonly origins: ReadonlySet<string>;
  /** `https://*.b.example:8443` is `https://` and `.b.example:8443`, with one label in between. */
  readonly wildcards: readonly { readonly scheme: string; readonly suffix: string }[];
  /** Comma lists. */
  readonly methods: string;
  readonly headers: string;
  /** Null: none but those that browsers show anyway. */
  readonly exposeHeaders: string | null;
  readonly credentials: boolean;
  readonly maxAgeSeconds: number;
}
