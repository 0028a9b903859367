/**
 * The closed set of reasons: why a handshake or a request was answered as it was. Logs, metrics and error
 * pages print these codes and nothing else; a new behaviour that turns someone away adds its reason here.
 */

interface Answer {
  /** HTTP status on the wire. nginx's internal 495–497 are 400 there. */
  readonly status: number;
  /** What the client is told. Says nothing that an outsider could not know. */
  readonly message: string;
  /** The connection is closed behind the answer: nothing more that came on it is to be believed. */
  readonly close?: true;
}

const certificateError: Answer = { status: 400, message: 'The SSL certificate error', close: true };
const forbidden: Answer = { status: 403, message: 'client certificate unauthorized' };

/** Reasons why a client certificate failed verification. */
const verification = {
  untrusted: certificateError,
  self_signed: certificateError,
  expired: certificateError,
  not_yet_valid: certificateError,
  revoked: certificateError,
  crl_expired: certificateError,
  crl_missing: certificateError,
  bad_purpose: certificateError,
  weak_key: certificateError,
  chain_too_long: certificateError,
  path_len: certificateError,
  name_constraint: certificateError,
  malformed_cert: certificateError,
  /** Its OCSP responder does not know the certificate. */
  ocsp_unknown: certificateError,
  /** No responder gave an answer that counts. */
  ocsp_unavailable: certificateError,
  other: certificateError,
} satisfies Record<string, Answer>;

/** Reasons why a policy said no, by the fact of the identity that missed. */
const policy = {
  policy_cn: forbidden,
  policy_ou: forbidden,
  policy_o: forbidden,
  policy_subject: forbidden,
  policy_issuer: forbidden,
  policy_dns: forbidden,
  policy_uri: forbidden,
  policy_email: forbidden,
  policy_ip: forbidden,
  policy_serial: forbidden,
  policy_fingerprint: forbidden,
  policy_spki: forbidden,
  policy_not: forbidden,
  /** An `all` or `any` without parts: it lets no one in. */
  policy_empty: forbidden,
  /** A policy asks for an identity, and the connection has none that was verified. */
  policy_no_identity: forbidden,
} satisfies Record<string, Answer>;

const badRequest: Answer = { status: 400, message: 'Bad Request', close: true };

/** Reasons that lie in the request itself or in where it points. */
const request = {
  no_certificate: { status: 400, message: 'No required SSL certificate was sent', close: true },
  // Closed as nginx does: the client's way out is a new connection, with a handshake for the host it wants.
  misdirected: { status: 421, message: 'Misdirected Request', close: true },
  /** What a responder said of the certificate is too old: a new connection is checked anew. */
  ocsp_expired: { status: 421, message: 'Misdirected Request', close: true },
  /** On the deny list. The connection is closed: nothing it could ask for would be answered. */
  denied: { status: 403, message: 'client certificate unauthorized', close: true },
  no_host: { status: 404, message: 'Not Found' },
  no_route: { status: 404, message: 'Not Found' },
  method_refused: { status: 405, message: 'Not Allowed', close: true },
  bad_request: badRequest,
  bad_host: badRequest,
  bad_path: badRequest,
  bad_framing: badRequest,
  bad_expectation: { status: 417, message: 'Expectation Failed', close: true },
  bad_version: { status: 505, message: 'HTTP Version Not Supported', close: true },
  body_too_large: { status: 413, message: 'Request Entity Too Large', close: true },
  body_timeout: { status: 408, message: 'Request Timeout', close: true },
  head_too_large: { status: 431, message: 'Request Header Fields Too Large', close: true },
  head_timeout: { status: 408, message: 'Request Timeout', close: true },
  plain_http: { status: 400, message: 'The plain HTTP request was sent to HTTPS port', close: true },
  address_denied: { status: 403, message: 'Forbidden' },
  /** Basic auth. */
  unauthorized: { status: 401, message: 'Authorization Required' },
  // The status of these two is the route's.
  /** An external service said 403, or could not be asked. */
  forbidden: { status: 403, message: 'Forbidden' },
  authentication_failed: { status: 500, message: 'Internal Server Error' },
  /** The upstream's error, where the page that was to stand for it could not be had. The status is the error's. */
  error_page_failed: { status: 502, message: 'Bad Gateway' },
  sign_in: { status: 302, message: 'Found' },
  authentication_busy: { status: 503, message: 'Service Temporarily Unavailable' },
  rate_limited: { status: 503, message: 'Service Temporarily Unavailable' },
  too_many_requests: { status: 503, message: 'Service Temporarily Unavailable' },
  path_too_long: { status: 414, message: 'Request-URI Too Large', close: true },
  cors_preflight: { status: 204, message: 'No Content' },
  redirect_https: { status: 308, message: 'Permanent Redirect' },
  // The status of these two is the route's.
  route_redirect: { status: 302, message: 'Found' },
  route_answer: { status: 200, message: 'OK' },
} satisfies Record<string, Answer>;

/** Reasons on the upstream's side. */
const upstream = {
  upstream_refused: { status: 502, message: 'Bad Gateway' },
  upstream_reset: { status: 502, message: 'Bad Gateway' },
  upstream_tls: { status: 502, message: 'Bad Gateway' },
  upstream_protocol: { status: 502, message: 'Bad Gateway' },
  upstream_connect_timeout: { status: 504, message: 'Gateway Time-out' },
  upstream_send_timeout: { status: 504, message: 'Gateway Time-out' },
  upstream_read_timeout: { status: 504, message: 'Gateway Time-out' },
  upstream_none: { status: 503, message: 'Service Temporarily Unavailable' },
  internal: { status: 500, message: 'Internal Server Error', close: true },
} satisfies Record<string, Answer>;

/** Every answer we give ourselves, by reason. */
export const answers = Object.freeze({ ...verification, ...policy, ...request, ...upstream });

export type VerificationReason = keyof typeof verification;
export type PolicyReason = keyof typeof policy;
export type UpstreamReason = keyof typeof upstream;
/** Why we answered a request ourselves. */
export type RefusalReason = keyof typeof answers;

/** Why a handshake did not end in a connection; these have no HTTP answer. */
export const handshakeFailures = Object.freeze([
  'unknown_sni',
  'no_sni',
  'protocol',
  'timeout',
  'client_abort',
  'overload',
  'address_overload',
  /** A trusted proxy did not say in time, or not in a way that can be read, for whom it connects. */
  'proxy_protocol',
] as const);
export type HandshakeFailure = (typeof handshakeFailures)[number];

/** Why a connection was closed unread: a limit was reached, in all or of its address, or no PROXY header came. */
export type ConnectionRefusal = Extract<HandshakeFailure, 'overload' | 'address_overload' | 'proxy_protocol'>;
export const connectionRefusals: readonly ConnectionRefusal[] = Object.freeze([
  'overload',
  'address_overload',
  'proxy_protocol',
]);

/** Which limit ended a connection between requests, as it is meant to. */
export type ConnectionEnd = (typeof connectionEnds)[number];
export const connectionEnds = Object.freeze([
  /** No request came for `keepAliveTimeout`. */
  'keep_alive_timeout',
  /** It has had its `keepAliveRequests`. */
  'keep_alive_requests',
  /** Not one byte of a request came for `headTimeout`. One that began to talk gets an answer: `head_timeout`. */
  'unused',
] as const);

/** What a handshake's `reason` label may be: `ok`, what verification said, or why it broke off. */
export type HandshakeReason = 'ok' | 'no_certificate' | VerificationReason | HandshakeFailure;
export const handshakeReasons: readonly HandshakeReason[] = Object.freeze([
  'ok',
  'no_certificate',
  ...(Object.keys(verification) as VerificationReason[]),
  ...handshakeFailures,
]);

export const verificationReasons: readonly VerificationReason[] = Object.freeze(
  Object.keys(verification) as VerificationReason[],
);

export const policyReasons: readonly PolicyReason[] = Object.freeze(Object.keys(policy) as PolicyReason[]);

/** What a request's `reason` may be in the access log: `ok`, a refusal, or who broke off midway. */
export type RequestReason = 'ok' | RefusalReason | 'client_abort' | 'upstream_truncated';

/** Answers that turn nobody away: they send on, or are what a route says. */
const welcome: ReadonlySet<string> = new Set([
  'cors_preflight',
  'redirect_https',
  'route_redirect',
  'route_answer',
  'sign_in',
] satisfies RefusalReason[]);

/** Whether an answer of ours with this reason turns nobody away. */
export function isWelcome(reason: string): boolean {
  return welcome.has(reason);
}

/** Whether a reason means that a client was turned away for what it is or asked, and not by a fault of ours. */
export function isDenial(reason: string): reason is RefusalReason {
  return Object.hasOwn(answers, reason) && !welcome.has(reason) && !faults.has(reason);
}

/** Reasons that lie with us, or behind us. */
const faults: ReadonlySet<string> = new Set([
  ...Object.keys(upstream),
  'error_page_failed',
  'authentication_failed',
]);
