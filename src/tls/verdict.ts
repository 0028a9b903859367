import type { VerificationReason } from '../snapshot/reason.ts';

/**
 * What certificate verification said about a connection, once, at its handshake.
 * `success` is said only where a peer certificate is present *and* OpenSSL authorised it (rule 2).
 */
export type Verdict = VerdictSuccess | VerdictNone | VerdictFailed;

export interface VerdictSuccess {
  readonly status: 'success';
}

/** No certificate was sent, or none was asked for. */
export interface VerdictNone {
  readonly status: 'none';
}

export interface VerdictFailed {
  readonly status: 'failed';
  readonly reason: VerificationReason;
  /** OpenSSL's words, as nginx puts them behind `FAILED:` in ssl-client-verify. */
  readonly detail: string;
  /**
   * The failure is one of the five that `optional_no_ca` lets pass: self-signed leaf, self-signed in chain,
   * no issuer locally, untrusted, unable to verify the leaf (nginx's ngx_ssl_verify_error_optional).
   */
  readonly untrustedOnly: boolean;
}

export const success: VerdictSuccess = Object.freeze({ status: 'success' });
export const none: VerdictNone = Object.freeze({ status: 'none' });
