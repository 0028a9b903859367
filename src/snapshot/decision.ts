import type { RefusalReason } from './reason.ts';
import type { WouldDeny } from './report.ts';
import type { Host, Route } from './snapshot.ts';

/** What happens to a request, and why. Everything that acts or reports prints this one value. */
export type Decision = Forward | Respond;

export interface Forward {
  readonly action: 'forward';
  readonly reason: 'ok';
  readonly host: Host;
  readonly route: Route;
  /** Path (normalised) and query for the upstream: the same that route and policy were chosen by. */
  readonly target: string;
  /** The route's authentication (basic auth) has to succeed first. */
  readonly authenticate: boolean;
  /** A CRL past its nextUpdate was gone by, as configured: of which CA. */
  readonly staleCrl?: string;
  /** It goes on in spite of this, because the check only reports. */
  readonly wouldDeny?: WouldDeny;
}

export interface Respond {
  readonly action: 'respond';
  readonly reason: RefusalReason;
  readonly status: number;
  readonly host: Host | null;
  readonly route: Route | null;
  /** For redirects. */
  readonly location: string | null;
  /** Further headers of the answer: name, value, …. */
  readonly headers: readonly string[];
  /** In place of the reason's own page: what a route says. */
  readonly content: { readonly contentType: string; readonly body: string } | null;
  /** Close the connection behind the answer. */
  readonly close: boolean;
  /** For the operator only: what was seen and what was wanted. Never sent to the client. */
  readonly detail: string | null;
  /** Of what a route answers by itself: it does so in spite of this, because the check only reports. */
  readonly wouldDeny?: WouldDeny;
}
