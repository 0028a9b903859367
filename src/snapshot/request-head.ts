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
  /** The client's address where a trusted proxy in front told it; absent: the connection's own. */
  readonly clientAddress?: string;
}
