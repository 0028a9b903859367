import type { VerificationReason } from '../snapshot/reason.ts';
import {
  type VerificationError,
  verificationErrorOf,
  verificationErrorSaying,
} from './verification-error.ts';

/**
 * What certificate verification said about a connection, once, at its handshake.
 * `success` is said only where a peer certificate is present *and* OpenSSL authorised it (rule 2).
 */
export type Verdict = VerdictSuccess | VerdictNone | VerdictFailed;

export interface VerdictSuccess {
  readonly status: 'success';
  /** A CRL past its nextUpdate was gone by, as configured: of which CA. */
  readonly staleCrl?: string;
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
  /** What it was about; for the operator alone. */
  readonly about?: string;
  /**
   * The failure is one of the five that `optional_no_ca` lets pass: self-signed leaf, self-signed in chain,
   * no issuer locally, untrusted, unable to verify the leaf (nginx's ngx_ssl_verify_error_optional).
   */
  readonly untrustedOnly: boolean;
}

/** All that is known of a failure, for the operator. */
export function failureInFull({ detail, about }: VerdictFailed): string {
  return about === undefined ? detail : `${detail}: ${about}`;
}

export const success: VerdictSuccess = Object.freeze({ status: 'success' });
export const none: VerdictNone = Object.freeze({ status: 'none' });

/** What Node says of a TLS socket after its handshake. */
export interface Verification {
  /** The handshake asked for a client certificate. */
  readonly requested: boolean;
  /** The client sent one. */
  readonly certificatePresent: boolean;
  /** `tlsSocket.authorized`. */
  readonly authorized: boolean;
  /** `tlsSocket.authorizationError`: a code such as `CERT_HAS_EXPIRED`, or null. */
  readonly authorizationError: string | null;
  /**
   * OpenSSL's text for the failure, where the caller has it (`verifyError().message` of the socket's handle):
   * it tells the failures apart that Node sums up as `UNSPECIFIED`, a weak key or a name constraint.
   */
  readonly errorText?: string | null;
}

/** X509_V_ERR numbers that `optional_no_ca` lets pass (nginx's ngx_ssl_verify_error_optional). */
const untrustedNumbers: ReadonlySet<number> = new Set([18, 19, 20, 21, 27]);

const unspecified: VerificationError = verificationErrorOf('UNSPECIFIED')!;

const failed = new Map<VerificationError, VerdictFailed>();

function failedBy(error: VerificationError): VerdictFailed {
  let verdict = failed.get(error);
  if (verdict === undefined) {
    verdict = Object.freeze({
      status: 'failed',
      reason: error.reason,
      detail: error.text,
      untrustedOnly: untrustedNumbers.has(error.number),
    });
    failed.set(error, verdict);
  }
  return verdict;
}

/**
 * The verdict on a connection. Success only where a certificate was asked for, is there, and OpenSSL authorised
 * it without an error (rule 2): on some Node versions a session resumed without a certificate reports
 * `authorized`, and without one the error that is reported is a wrong one. Anything unknown fails.
 */
export function verdictOf(verification: Verification): Verdict {
  const { requested, certificatePresent, authorized, authorizationError, errorText = null } = verification;
  if (!requested || !certificatePresent) return none;
  if (authorized && authorizationError === null) return success;
  let error = authorizationError === null ? undefined : verificationErrorOf(authorizationError);
  if (error === undefined || error === unspecified) {
    error = (errorText === null ? undefined : verificationErrorSaying(errorText)) ?? unspecified;
    // What Node names must come from its code; a text alone never makes a failure one that may pass.
    if (untrustedNumbers.has(error.number)) error = unspecified;
  }
  return failedBy(error);
}
