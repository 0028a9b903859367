import type { RetryRules } from '../../snapshot/retry.ts';
import type { UpstreamFailure } from './outbound.ts';

/** How a request stood when it failed at one endpoint. */
export interface Standing {
  /** RFC 9110 §9.2.2: sending it twice does what sending it once does. */
  readonly idempotent: boolean;
  /** Nothing of it had been written. */
  readonly unsent: boolean;
  /** Bytes of its body were read, and cannot be read again. */
  readonly spent: boolean;
  /** A byte of a response had come. */
  readonly answered: boolean;
  /** Something of a response had been passed to the client: a status, or an interim response. */
  readonly told: boolean;
}

/** Whether a failed request may be sent to another endpoint (rule 9, and the route's rules). */
export function mayRetry(rules: RetryRules, { reason }: UpstreamFailure, standing: Standing): boolean {
  const { idempotent, unsent, spent, answered, told } = standing;
  if (told || spent || !(idempotent || unsent || rules.nonIdempotent)) return false;
  switch (reason) {
    case 'upstream_refused':
    case 'upstream_reset':
    case 'upstream_tls':
      return rules.error && !answered;
    case 'upstream_connect_timeout':
      return rules.connectTimeout;
    case 'upstream_read_timeout':
      return rules.readTimeout && !answered;
    case 'upstream_protocol':
      return rules.invalidHeader;
    default:
      return false;
  }
}

/** Whether a response is dropped for another endpoint's, by its status. */
export function mayRetryStatus(rules: RetryRules, status: number, standing: Standing): boolean {
  const { idempotent, spent, told } = standing;
  return rules.statuses.has(status) && !told && !spent && (idempotent || rules.nonIdempotent);
}

/** Of the statuses that may be tried again, nginx counts all but these against the endpoint. */
export function blames(status: number): boolean {
  return status !== 403 && status !== 404;
}
