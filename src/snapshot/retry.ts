/** When a request that one endpoint failed is sent to another: nginx's proxy_next_upstream. */
export interface RetryRules {
  /** Connections that are refused or break, before anything of a response came. */
  readonly error: boolean;
  /** Connections that are not made in time. */
  readonly connectTimeout: boolean;
  /** No response in time. */
  readonly readTimeout: boolean;
  /** Responses that are no HTTP. */
  readonly invalidHeader: boolean;
  readonly statuses: ReadonlySet<number>;
  /** Also what may change something, and was sent. */
  readonly nonIdempotent: boolean;
  /** Endpoints tried for one request, the first included; null: the upstream's own number. */
  readonly tries: number | null;
  /** No new try is begun when so much time has passed; Infinity for none. */
  readonly timeoutMs: number;
}

/** Where nothing is configured. */
export const usualRetry: RetryRules = Object.freeze({
  error: true,
  connectTimeout: true,
  readTimeout: false,
  invalidHeader: false,
  statuses: new Set<number>(),
  nonIdempotent: false,
  tries: null,
  timeoutMs: Infinity,
});
