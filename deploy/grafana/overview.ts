import { chosen, graph, perSecond, quantiles, query, stat, type Dashboard } from './panel.ts';

const rate = (metric: string, matchers = chosen): string =>
  `sum(rate(${metric}{${matchers}}[$__rate_interval]))`;

export const overview: Dashboard = {
  uid: 'mtls-ingress-overview',
  title: 'mtls-ingress / overview',
  description: 'What is asked, what is answered and refused, and how the program is.',
  byHost: false,
  rows: [
    {
      title: 'Now',
      panels: [
        stat('Requests', 'Requests answered per second.', 'reqps', [query(rate('mtls_requests_total'), '')]),
        stat(
          'Server errors',
          'Share of requests that were answered with a 5xx.',
          'percentunit',
          [
            query(
              `(${rate('mtls_requests_total', `${chosen}, status=~"5.."`)} or vector(0)) / ${rate('mtls_requests_total')}`,
              '',
            ),
          ],
          { thresholds: { orange: 0.01, red: 0.05 } },
        ),
        stat('Latency, p99', 'From a request head to the end of its answer.', 's', [
          query(
            `histogram_quantile(0.99, sum by (le) (rate(mtls_request_duration_seconds_bucket{${chosen}}[$__rate_interval])))`,
            '',
          ),
        ]),
        stat('Handshakes rejected', 'Per second. The dashboard of handshakes has the reasons.', 'cps', [
          query(rate('mtls_handshakes_total', `${chosen}, result="rejected"`), ''),
        ]),
        stat(
          'Configuration',
          '1: the latest is in force. 0: it was refused, and an older one serves.',
          'short',
          [query(`min(mtls_config_last_reload_successful{${chosen}})`, '')],
          { thresholds: { orange: 1, red: 0.5, falling: true } },
        ),
        stat(
          'First certificate ends in',
          'Of the certificates that hosts show.',
          's',
          [query(`min(mtls_server_certificate_not_after_seconds{${chosen}}) - time()`, '')],
          { thresholds: { orange: 1_814_400, red: 604_800, falling: true } },
        ),
      ],
    },
    {
      title: 'Requests',
      panels: [
        graph(
          'Requests by status',
          'Status 0: the client left before an answer.',
          'reqps',
          [perSecond('mtls_requests_total', chosen, ['status'])],
          { stacked: true },
        ),
        graph(
          'Duration',
          'From a request head to the end of its answer.',
          's',
          quantiles('mtls_request_duration_seconds', chosen),
        ),
        graph('Answered here', 'Requests that were not forwarded, by reason.', 'reqps', [
          perSecond('mtls_refusals_total', chosen, ['reason']),
        ]),
        graph('Denied by policy', 'Good certificates that a policy refused, by what missed.', 'reqps', [
          perSecond('mtls_policy_decisions_total', `${chosen}, decision="deny"`, ['host', 'reason']),
        ]),
        graph('Would be denied', 'Served, because the check only reports (mode: report).', 'reqps', [
          perSecond('mtls_would_deny_total', chosen, ['host', 'reason']),
        ]),
        graph('Ended midway', 'The client left, or the upstream broke off its response.', 'reqps', [
          perSecond('mtls_requests_aborted_total', chosen, ['reason']),
        ]),
        graph('Bodies', 'Bytes of bodies: received from clients, and sent to them.', 'Bps', [
          query(rate('mtls_received_bytes_total'), 'received'),
          query(rate('mtls_sent_bytes_total'), 'sent'),
        ]),
      ],
    },
    {
      title: 'Upstreams',
      panels: [
        graph(
          'Time to the response head, p99',
          'From sending a request to an upstream to the head of its response.',
          's',
          [
            query(
              `histogram_quantile(0.99, sum by (le, upstream) (rate(mtls_upstream_duration_seconds_bucket{${chosen}}[$__rate_interval])))`,
              '{{upstream}}',
            ),
          ],
        ),
        graph('Retries, ejections, lost copies', 'What was tried again, left out, or not copied.', 'cps', [
          query(rate('mtls_upstream_retries_total'), 'retries'),
          query(rate('mtls_upstream_ejections_total'), 'ejections'),
          query(rate('mtls_upstream_copies_failed_total'), 'lost copies'),
        ]),
        graph('Endpoints that fail their health checks', 'By upstream.', 'short', [
          query(
            `sum by (upstream) (1 - min by (upstream, endpoint) (mtls_upstream_endpoint_healthy{${chosen}}))`,
            '{{upstream}}',
          ),
        ]),
        graph('Endpoints left out', 'After consecutive failures, for a while; by upstream.', 'short', [
          query(
            `sum by (upstream) (max by (upstream, endpoint) (mtls_upstream_endpoint_ejected{${chosen}}))`,
            '{{upstream}}',
          ),
        ]),
      ],
    },
    {
      title: 'The program',
      panels: [
        graph('Open connections', 'By listener.', 'short', [
          query(
            `sum by (instance, listener) (mtls_open_connections{${chosen}})`,
            '{{instance}} {{listener}}',
          ),
        ]),
        graph('Cores in use', 'Time that event loops were busy.', 'short', [
          query(
            `sum by (instance) (rate(mtls_event_loop_active_seconds_total{${chosen}}[$__rate_interval]))`,
            '{{instance}}',
          ),
        ]),
        graph('Memory', 'Resident, of all processes.', 'bytes', [
          query(`sum by (instance) (process_resident_memory_bytes{${chosen}})`, '{{instance}}'),
        ]),
        graph('Event loop', 'How late it was, p99: what it keeps every request waiting for.', 's', [
          query(`max by (instance) (nodejs_eventloop_lag_p99_seconds{${chosen}})`, '{{instance}}'),
        ]),
        graph('Worker processes', 'Those that take traffic, and those that there should be.', 'short', [
          query(`sum by (instance) (mtls_workers_ready{${chosen}})`, '{{instance}} ready'),
          query(`sum by (instance) (mtls_workers{${chosen}})`, '{{instance}} wanted'),
          query(`max by (instance) (mtls_worker_configurations{${chosen}})`, '{{instance}} configurations'),
        ]),
        graph(
          'What went wrong',
          'Restarts of workers, lost log lines, failing observers; in the last hour.',
          'short',
          [
            query(
              `sum by (reason) (increase(mtls_worker_restarts_total{${chosen}}[1h]))`,
              'worker restarts: {{reason}}',
            ),
            query(
              `sum by (reason) (increase(mtls_log_lines_dropped_total{${chosen}}[1h]))`,
              'log lines: {{reason}}',
            ),
            query(`sum(increase(mtls_observer_errors_total{${chosen}}[1h]))`, 'observers'),
          ],
        ),
        graph('Reloads', 'Attempts to load a configuration, by result; in the last hour.', 'short', [
          query(`sum by (result) (increase(mtls_reload_total{${chosen}}[1h]))`, '{{result}}'),
        ]),
        graph(
          'Problems of manifests',
          'What is refused (error), or ought to be looked at (warning).',
          'short',
          [query(`max by (severity, kind) (mtls_ingress_problems{${chosen}})`, '{{severity}} {{kind}}')],
        ),
        graph(
          'Kubernetes API',
          'Watches that fail now, and calls that failed in the last hour, by reason.',
          'short',
          [
            query(`sum by (instance) (mtls_kubernetes_failing_watches{${chosen}})`, '{{instance}} watches'),
            query(`sum by (reason) (increase(mtls_kubernetes_faults_total{${chosen}}[1h]))`, '{{reason}}'),
          ],
        ),
        graph(
          'Versions',
          'Of the program, and of the configuration: one of each, where all agree.',
          'short',
          [
            query(
              `count by (version, node, openssl) (mtls_build_info{${chosen}})`,
              '{{version}}, Node {{node}}, OpenSSL {{openssl}}',
            ),
            query(`count(count by (version) (mtls_config_info{${chosen}}))`, 'configurations'),
          ],
        ),
        graph('Hosts', 'Of the configuration in force, and when it was loaded.', 'short', [
          query(`max by (instance) (mtls_config_hosts{${chosen}})`, '{{instance}}'),
        ]),
        stat('Configuration loaded', 'How long ago.', 's', [
          query(`time() - max(mtls_config_last_reload_successful_timestamp_seconds{${chosen}})`, ''),
        ]),
      ],
    },
  ],
};
