import type { Explanation as ExplainedPolicyTree } from '../../policy/explain.ts';
import type { Check } from '../trace.ts';
import type { Choice } from './runners-up.ts';
import type { ExplainedTrust, ExplainedVerdict } from './trust.ts';
import type { ExplainedUpstreamRequest } from './upstream-request.ts';

/**
 * The whole way of one request: what was found, what each check said, and what becomes of it. Plain data, bounded, fit
 * for JSON; times in ISO 8601. Texts that came from outside are shortened. For the operator only.
 */
export interface Explanation {
  /** `Snapshot.version`: which configuration was asked. */
  readonly configuration: string;
  /** The moment it was asked for. */
  readonly time: string;
  readonly request: ExplainedRequest;
  readonly connection: ExplainedConnection;
  /** Null where the head itself was refused. */
  readonly hosts: Choice | null;
  /** Null: no host, or no path that can be read. */
  readonly routes: Choice | null;
  /** How certificates are asked for there; null where nothing was found to ask for. */
  readonly clientAuth: {
    readonly mode: string;
    /** Of the route, or of the host where no route matches; null with mode `off`. */
    readonly trust: ExplainedTrust | null;
    /** What the connection proves for it at this moment. */
    readonly verdict: ExplainedVerdict;
  } | null;
  readonly policies: readonly ExplainedPolicy[];
  /** In the order in which they were asked. */
  readonly checks: readonly ExplainedCheck[];
  readonly decision: ExplainedDecision;
  /** The request that the backend would get; null where it gets none. */
  readonly upstreamRequest: ExplainedUpstreamRequest | { readonly problem: string } | null;
  /** What else comes into it that nobody can tell beforehand, or that was not asked. */
  readonly notes: readonly string[];
}

export interface ExplainedRequest {
  readonly method: string;
  readonly authority: string;
  readonly path: string;
  readonly query: string;
  /** The path that routes are found by and that the upstream gets; null where it cannot be read. */
  readonly normalPath: string | null;
  readonly hazards: readonly string[];
  /** The path as a server reads it that drops path parameters; null where it reads the same. */
  readonly alternative: string | null;
  /** What a trusted proxy in front tells of the client; null: nothing is told, or believed. */
  readonly told: { readonly address: string; readonly scheme: string | null } | null;
}

export interface ExplainedConnection {
  readonly listener: 'https' | 'http';
  readonly address: string;
  readonly serverName: string | null;
  /** `Host.id` of the host whose handshake it was. */
  readonly host: string | null;
  /** False: the default host stood in for a server name that is unknown or absent. */
  readonly serverNameMatched: boolean;
  readonly identity: ExplainedIdentity | null;
}

/** A certificate's facts: proven only with the verdict `success`. */
export interface ExplainedIdentity {
  readonly subject: string;
  readonly issuer: string;
  readonly names: readonly string[];
  readonly serial: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly fingerprint: string;
  readonly spki: string;
  readonly keyAlgorithm: string;
}

export interface ExplainedPolicy {
  readonly of: 'host' | 'route';
  /** True: it certainly holds, and for an identity that is proven. */
  readonly holds: boolean;
  /** Each rule with what it saw; null: there is no certificate to judge. */
  readonly tree: ExplainedPolicyTree | null;
}

export interface ExplainedCheck {
  readonly check: Check;
  readonly passed: boolean;
  /** It would have refused the request, and only reports. */
  readonly reported: boolean;
  /** Of one that was not passed, or that answers the request. */
  readonly reason: string | null;
  readonly detail: string | null;
}

export type ExplainedDecision =
  | {
      readonly action: 'forward';
      readonly reason: 'ok';
      readonly host: string;
      readonly route: string;
      readonly target: string;
      /** Authentication (a password, another service) has to succeed first. */
      readonly authenticate: boolean;
      /** A CRL past its nextUpdate was gone by. */
      readonly staleCrl: string | null;
      /** It goes on in spite of this, because the check only reports. */
      readonly wouldDeny: ExplainedWouldDeny | null;
    }
  | {
      readonly action: 'respond';
      readonly reason: string;
      readonly status: number;
      /** What the client is told. */
      readonly message: string;
      readonly location: string | null;
      readonly host: string | null;
      readonly route: string | null;
      readonly close: boolean;
      readonly wouldDeny: ExplainedWouldDeny | null;
      /** For the operator: what was seen and what was wanted. */
      readonly detail: string | null;
    };

/** What a request is served in spite of. */
export interface ExplainedWouldDeny {
  readonly check: Check;
  readonly reason: string;
  readonly status: number;
  readonly detail: string | null;
}
