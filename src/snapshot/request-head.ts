/** A request head that has passed the checks of `src/proxy/request-head.ts`: one host, one reading. */
export interface RequestHead {
  readonly method: string;
  /** The path as the client sent it, always starting with `/`, percent-encoding untouched. */
  readonly path: string;
  /** From `?` on, or empty. */
  readonly query: string;
  /** The Host header's (or absolute-form target's) host: lower case, no port, no trailing dot, no brackets. */
  readonly host: string;
  /** The Host header as sent, for `X-Forwarded-Host` and the upstream. */
  readonly authority: string;
  /** What a trusted proxy in front says; absent where none does. */
  readonly told?: Told;
  /** A browser's question before a request (Fetch standard, "CORS-preflight request"); absent of any other request. */
  readonly preflight?: Preflight;
}

/** OPTIONS with an Origin and an Access-Control-Request-Method. */
export interface Preflight {
  /** As sent: perhaps no origin at all. */
  readonly origin: string;
}

/** What a trusted proxy in front says of the client's request to it. Null where it says nothing that can be read. */
export interface Told {
  readonly address: string;
  readonly scheme: 'https' | 'http' | null;
  /** Host and perhaps port, as written. */
  readonly host: string | null;
  readonly port: string | null;
}
