/** Whose answers stand in for errors: ingress-nginx's custom-http-errors. */
export interface ErrorPages {
  readonly statuses: ReadonlySet<number>;
  readonly upstream: string;
  /** Name, value, … of the question's further headers. */
  readonly headers: readonly string[];
}
