import type { ExplainedDecision, Explanation } from '../snapshot/explain/explanation.ts';
import type { ExplainedVerdict } from '../snapshot/explain/trust.ts';

/** What becomes of a question. Plain data, bounded, fit for JSON. For the operator only. */
export interface Report {
  readonly decision: ExplainedDecision | EndedHandshake;
  /** Null over plain HTTP. */
  readonly handshake: ExplainedHandshake | null;
  /** Null where the handshake is ended: HTTP says nothing then. */
  readonly request: Explanation | null;
}

/** There is no request: the connection ends at the handshake. */
export interface EndedHandshake {
  readonly action: 'end_handshake';
  readonly reason: string;
  readonly detail: string | null;
}

export interface ExplainedHandshake {
  readonly serverName: string | null;
  /** Whose certificate is shown and whose trust stores count; null where there is none. */
  readonly host: string | null;
  readonly serverNameMatched: boolean;
  readonly asksForCertificate: boolean;
  /** Who is not authorised is not answered: the handshake is ended. */
  readonly strict: boolean;
  /** What the client sends, its own certificate first. */
  readonly sent: readonly ExplainedCertificate[];
  /** Each trust store of the host and its routes. Empty where nothing is asked for, or nothing sent. */
  readonly stores: readonly ExplainedStore[];
  /** How it is counted: `ok`, or why not. */
  readonly reason: string;
  readonly detail: string | null;
}

export interface ExplainedCertificate {
  readonly subject: string;
  readonly issuer: string;
  readonly serial: string;
  readonly notBefore: string;
  readonly notAfter: string;
  /** SHA-256 over the DER, lower-case hex. */
  readonly fingerprint: string;
}

export interface ExplainedStore {
  /** The first digits of its key. */
  readonly store: string;
  readonly verdict: ExplainedVerdict;
  /** The chain that was proven, the client's certificate first, the CA that was hit last; empty: none. */
  readonly chain: readonly (ExplainedCertificate & { readonly from: 'client' | 'trust store' })[];
  /** Where no chain was found: whose certificate is missing. */
  readonly missing: string | null;
  /** What to know of the verdict, where it is not OpenSSL's alone. */
  readonly note: string | null;
}
