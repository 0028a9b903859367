/**
 * Every metric of our own, declared once: the page, the documentation and the tests read this table. Those of
 * the process and its event loop come from prom-client (process-metrics.ts).
 *
 * Label values come from the snapshot or from closed sets (labels.ts), never from a client; where something is
 * not of the snapshot its label is `_`. Times are in seconds, dates in seconds since 1970.
 */
export interface Declaration<Label extends string = string> {
  /** `untyped`: none of ours is; ingress-nginx's counters whose names promtool would refuse. */
  readonly type: 'counter' | 'gauge' | 'histogram' | 'untyped';
  readonly name: string;
  readonly help: string;
  readonly labels: readonly Label[];
  readonly aggregate: Aggregate;
}

/**
 * What several worker processes say becomes one number: their sum, the least or the greatest of them; `own`: what
 * they say is left out, and the supervisor's own holds.
 */
export type Aggregate = 'sum' | 'min' | 'max' | 'own';

export interface CounterDeclaration<Label extends string = string> extends Declaration<Label> {
  readonly type: 'counter';
}

export interface GaugeDeclaration<Label extends string = string> extends Declaration<Label> {
  readonly type: 'gauge';
}

export interface HistogramDeclaration<Label extends string = string> extends Declaration<Label> {
  readonly type: 'histogram';
  /** Upper bounds, rising, without +Inf. */
  readonly buckets: readonly number[];
}

function counter<const Label extends string = never>(
  name: string,
  help: string,
  labels: readonly Label[] = [],
  aggregate: Aggregate = 'sum',
): CounterDeclaration<Label> {
  return Object.freeze({ type: 'counter', name, help, labels: Object.freeze(labels), aggregate });
}

function gauge<const Label extends string = never>(
  name: string,
  help: string,
  labels: readonly Label[] = [],
  aggregate: Aggregate = 'max',
): GaugeDeclaration<Label> {
  return Object.freeze({ type: 'gauge', name, help, labels: Object.freeze(labels), aggregate });
}

function histogram<const Label extends string = never>(
  name: string,
  help: string,
  buckets: readonly number[],
  labels: readonly Label[] = [],
): HistogramDeclaration<Label> {
  return Object.freeze({
    type: 'histogram',
    name,
    help,
    labels: Object.freeze(labels),
    buckets: Object.freeze(buckets),
    aggregate: 'sum',
  });
}

/** ingress-nginx's, with two finer ones: a proxied request on one machine takes less than its 5 ms. */
const requestBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A handshake takes a few milliseconds of CPU and two round trips; past 10 s the time-out ends it. */
const handshakeBuckets = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export const catalogue = Object.freeze({
  handshakes: counter(
    'mtls_handshakes_total',
    'TLS handshakes by what came of them. A rejected one broke off, or its client certificate will be answered with an error.',
    ['listener', 'host', 'result', 'reason', 'tls_version', 'resumed'],
  ),
  handshakeDuration: histogram(
    'mtls_handshake_duration_seconds',
    'From accepting a connection to the end of its TLS handshake.',
    handshakeBuckets,
    ['listener', 'result', 'resumed'],
  ),
  sessionsResumed: counter('mtls_sessions_resumed_total', 'Handshakes that resumed an earlier TLS session.', [
    'listener',
    'host',
  ]),
  tlsInfo: counter('mtls_tls_info_total', 'Handshakes that completed, by TLS version and cipher.', [
    'version',
    'cipher',
  ]),
  connections: counter('mtls_connections_total', 'Connections accepted.', ['listener']),
  connectionsRefused: counter(
    'mtls_connections_refused_total',
    'Connections closed unread, because there were too many in all (overload) or of one address (address_overload).',
    ['listener', 'reason'],
  ),
  connectionsEnded: counter(
    'mtls_connections_ended_total',
    'Connections that a limit ended between requests: idle for too long (keep_alive_timeout), as many requests as one may have (keep_alive_requests), or not a byte in time (unused).',
    ['listener', 'reason'],
  ),
  openConnections: gauge('mtls_open_connections', 'Connections open now.', ['listener'], 'sum'),

  requests: counter(
    'mtls_requests_total',
    'Requests answered. Status 0: the client left before one was sent.',
    ['host', 'route', 'method', 'status'],
  ),
  requestDuration: histogram(
    'mtls_request_duration_seconds',
    'From a request head to the end of its answer, by class of status (2xx).',
    requestBuckets,
    ['host', 'route', 'status'],
  ),
  requestsAborted: counter(
    'mtls_requests_aborted_total',
    'Requests that ended midway: the client left, or the upstream broke off its response.',
    ['host', 'reason'],
  ),
  staleCrlRequests: counter(
    'mtls_crl_stale_requests_total',
    'Requests let through, as configured, although a CRL that judged their client was past its nextUpdate.',
    ['host'],
  ),
  receivedBytes: counter('mtls_received_bytes_total', 'Bytes of request bodies received.', ['host']),
  sentBytes: counter('mtls_sent_bytes_total', 'Bytes of response bodies sent.', ['host']),
  refusals: counter('mtls_refusals_total', 'Requests that were answered here instead of being forwarded.', [
    'host',
    'reason',
  ]),
  wouldDeny: counter(
    'mtls_would_deny_total',
    'Requests that were served although a check would have refused them, because it only reports (mode: report).',
    ['host', 'reason'],
  ),
  policyDecisions: counter(
    'mtls_policy_decisions_total',
    'Requests judged by a policy; would_deny: one that only reports. The policy label says where the policies stand that cover the route: host, route or both.',
    ['host', 'route', 'policy', 'decision', 'reason'],
  ),

  upstreamDuration: histogram(
    'mtls_upstream_duration_seconds',
    'From sending a request to an upstream to the head of its response.',
    requestBuckets,
    ['upstream'],
  ),
  upstreamRetries: counter('mtls_upstream_retries_total', 'Requests tried again at another endpoint.', [
    'upstream',
  ]),
  upstreamCopiesFailed: counter(
    'mtls_upstream_copies_failed_total',
    'Copies of requests that got no answer, or were not sent as too many were under way.',
    ['upstream'],
  ),
  upstreamEjections: counter(
    'mtls_upstream_ejections_total',
    'Times an endpoint was left out after consecutive failures.',
    ['upstream', 'endpoint'],
  ),
  endpointEjected: gauge('mtls_upstream_endpoint_ejected', '1 while an endpoint is left out.', [
    'upstream',
    'endpoint',
  ]),
  endpointHealthy: gauge(
    'mtls_upstream_endpoint_healthy',
    '0 while the health checks of an endpoint fail. 1 before the first and where there are none.',
    ['upstream', 'endpoint'],
    'min',
  ),

  serverCertificateNotAfter: gauge(
    'mtls_server_certificate_not_after_seconds',
    'When the certificate of a host expires.',
    ['host'],
  ),
  caCertificateNotAfter: gauge(
    'mtls_ca_certificate_not_after_seconds',
    'When a CA certificate of the trust store of a host expires. The soonest ones, where there are many.',
    ['host', 'subject', 'fingerprint'],
  ),
  crlNextUpdate: gauge(
    'mtls_crl_next_update_seconds',
    'When a CRL must have been replaced: from then on every client of its CA is refused, unless configured otherwise.',
    ['host', 'issuer'],
  ),
  crlAge: gauge('mtls_crl_age_seconds', 'Time since a CRL was issued.', ['host', 'issuer']),
  crlRevokedEntries: gauge('mtls_crl_revoked_entries', 'Certificates that a CRL revokes.', [
    'host',
    'issuer',
  ]),

  ocspChecks: counter(
    'mtls_ocsp_checks_total',
    'Client certificates asked about, answers that are remembered included, by what is known of them.',
    ['host', 'result'],
  ),
  stapleNextUpdate: gauge(
    'mtls_ocsp_staple_next_update_seconds',
    'Until when what is stapled to the certificate of a host holds; 0 while nothing is stapled.',
    ['host'],
    'min',
  ),

  reloads: counter('mtls_reload_total', 'Attempts to load a configuration.', ['result'], 'own'),
  lastReloadSuccessful: gauge(
    'mtls_config_last_reload_successful',
    '1 if the latest attempt to load a configuration succeeded; 0 if an older one still serves.',
    [],
    'own',
  ),
  kubernetesFailing: gauge(
    'mtls_kubernetes_failing_watches',
    'Watches of the Kubernetes API that fail at the moment. While there are any, what is served may be old.',
  ),
  kubernetesFaults: counter(
    'mtls_kubernetes_faults_total',
    'Calls to the Kubernetes API that failed: unreachable (no whole answer came), unauthorized, forbidden, expired (everything is listed anew), throttled, or an error of the server.',
    ['reason'],
  ),
  webhookReviews: counter(
    'mtls_webhook_reviews_total',
    'Ingresses that the validating webhook has judged: allowed, refused, or unjudged, which is a refusal too.',
    ['answer'],
  ),
  webhookKept: gauge(
    'mtls_webhook_certificate_kept',
    '1 while the certificate of the validating webhook can be renewed and registered; 0 while that fails, as the log says.',
  ),
  problems: gauge(
    'mtls_ingress_problems',
    'What the manifests that were loaded last have in them that is refused (error) or ought to be looked at (warning), by kind of object; file: of none.',
    ['severity', 'kind'],
    'own',
  ),
  lastReloadTimestamp: gauge(
    'mtls_config_last_reload_successful_timestamp_seconds',
    'When a configuration was last loaded.',
    [],
    'own',
  ),
  configHash: gauge(
    'mtls_config_hash',
    'The first 48 bits of the version of the snapshot that serves.',
    [],
    'own',
  ),
  configInfo: gauge('mtls_config_info', 'The version of the snapshot that serves. Always 1.', ['version']),
  hosts: gauge('mtls_config_hosts', 'Hosts of the snapshot that serves.', [], 'own'),

  identities: gauge('mtls_identities', 'Client identities that are remembered.', [], 'own'),
  identitiesExpiring: gauge(
    'mtls_identities_expiring',
    'Client identities whose certificate runs out within the window (7d, 30d, 90d), and of which no newer one was seen.',
    ['window'],
    'own',
  ),

  workers: gauge('mtls_workers', 'Worker processes that there should be.', [], 'own'),
  workersReady: gauge('mtls_workers_ready', 'Worker processes that take traffic.', [], 'own'),
  workerConfigurations: gauge(
    'mtls_worker_configurations',
    'Different configurations that worker processes serve. More than 1 for longer than a reload takes: they disagree.',
    [],
    'own',
  ),
  workerRestarts: counter(
    'mtls_worker_restarts_total',
    'Worker processes that ended of themselves (exit), were killed (signal) or did not answer (unresponsive).',
    ['reason'],
    'own',
  ),

  logLinesDropped: counter(
    'mtls_log_lines_dropped_total',
    'Log lines that were not written, because whoever reads the log is too slow, or because writing failed.',
    ['reason'],
  ),
  observerErrors: counter('mtls_observer_errors_total', 'Events that an observer failed on.'),
  buildInfo: gauge('mtls_build_info', 'What is running. Always 1.', ['version', 'node', 'openssl']),
  eventLoopActive: counter(
    'mtls_event_loop_active_seconds_total',
    'Time the event loop was busy, of all processes; its rate is the number of cores in use.',
  ),
});

export type Catalogue = typeof catalogue;
