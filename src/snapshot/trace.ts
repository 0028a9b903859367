import type { Verdict } from '../tls/verdict.ts';
import type { Respond } from './decision.ts';
import type { NormalPath } from './path.ts';
import type { ReportingCheck } from './report.ts';
import type { ClientAuth, Host, Route } from './snapshot.ts';

/** What `decide` asks of a request, in the order in which it does. */
export type Check =
  /** Is there a host of this name? */
  | 'host'
  /** Can the path be read, and in one way? */
  | 'path'
  /** Is the path short enough for the host's regular expressions? */
  | 'path_length'
  /** Plain HTTP: is it served there, or sent to https? */
  | 'plain_http'
  | 'deny_list'
  /** Was the connection verified for this host (rule 5)? */
  | 'connection'
  /** Is it a browser's question before a request, to be answered here? */
  | 'preflight'
  /** Is the certificate good enough for the mode? */
  | 'certificate'
  /** Would another server read the path in another way? */
  | 'path_hazard'
  | 'host_policy'
  | 'route_policy'
  | 'route'
  /** Does the route forward, or answer itself? */
  | 'action';

/** What `decide` goes by. Absent: it did not get that far. */
export interface Found {
  readonly host: Host;
  readonly path: NormalPath;
  /** Null: no route matches. */
  readonly route: Route | null;
  /** The route's way to ask for certificates, or the host's. */
  readonly clientAuth: ClientAuth;
  readonly verdict: Verdict;
}

/**
 * Told what `decide` does, as it does it. Nothing is decided by it, and without one nothing is made for it: explanations
 * come from the very steps that serve.
 */
export interface Trace {
  found(part: Partial<Found>): void;
  /** @param refusal What answers the request because of this check; null: it goes on. */
  asked(check: Check, refusal: Respond | null): void;
  /** The check would have refused it, and only reports: it goes on. */
  reported(check: ReportingCheck, refusal: Respond): void;
}
