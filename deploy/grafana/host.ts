import { chosen, graph, perSecond, quantiles, query, stat, type Dashboard } from './panel.ts';

const here = `${chosen}, host=~"$host"`;
const rate = (metric: string, matchers = here): string =>
  `sum(rate(${metric}{${matchers}}[$__rate_interval]))`;

export const host: Dashboard = {
  uid: 'mtls-ingress-host',
  title: 'mtls-ingress / host',
  description: 'One host or several: requests, routes, policies, clients.',
  byHost: true,
  rows: [
    {
      title: 'Now',
      panels: [
        stat('Requests', 'Per second.', 'reqps', [query(rate('mtls_requests_total'), '')]),
        stat(
          'Server errors',
          'Share of requests that were answered with a 5xx.',
          'percentunit',
          [
            query(
              `(${rate('mtls_requests_total', `${here}, status=~"5.."`)} or vector(0)) / ${rate('mtls_requests_total')}`,
              '',
            ),
          ],
          { thresholds: { orange: 0.01, red: 0.05 } },
        ),
        stat('Denied by policy', 'Per second.', 'reqps', [
          query(rate('mtls_policy_decisions_total', `${here}, decision="deny"`), ''),
        ]),
        stat('Handshakes rejected', 'Per second.', 'cps', [
          query(rate('mtls_handshakes_total', `${here}, result="rejected"`), ''),
        ]),
        stat(
          'Certificate ends in',
          'The first of them.',
          's',
          [query(`min(mtls_server_certificate_not_after_seconds{${here}}) - time()`, '')],
          { thresholds: { orange: 1_814_400, red: 604_800, falling: true } },
        ),
        stat(
          'CA ends in',
          'The first CA certificate that clients are verified against.',
          's',
          [query(`min(mtls_ca_certificate_not_after_seconds{${here}}) - time()`, '')],
          { thresholds: { orange: 7_776_000, red: 2_592_000, falling: true } },
        ),
      ],
    },
    {
      title: 'Requests',
      panels: [
        graph(
          'By status',
          'Status 0: the client left before an answer.',
          'reqps',
          [perSecond('mtls_requests_total', here, ['status'])],
          {
            stacked: true,
          },
        ),
        graph(
          'By route',
          '_: requests that came to no route.',
          'reqps',
          [perSecond('mtls_requests_total', here, ['route'])],
          {
            stacked: true,
          },
        ),
        graph('By method', '', 'reqps', [perSecond('mtls_requests_total', here, ['method'])], {
          stacked: true,
        }),
        graph(
          'Duration',
          'From a request head to the end of its answer.',
          's',
          quantiles('mtls_request_duration_seconds', here),
        ),
        graph('Duration by route, p99', '', 's', [
          query(
            `histogram_quantile(0.99, sum by (le, route) (rate(mtls_request_duration_seconds_bucket{${here}}[$__rate_interval])))`,
            '{{route}}',
          ),
        ]),
        graph('Bodies', 'Bytes of bodies: received from clients, and sent to them.', 'Bps', [
          query(rate('mtls_received_bytes_total'), 'received'),
          query(rate('mtls_sent_bytes_total'), 'sent'),
        ]),
      ],
    },
    {
      title: 'Who is refused',
      panels: [
        graph('Answered here', 'Requests that were not forwarded, by reason.', 'reqps', [
          perSecond('mtls_refusals_total', here, ['reason']),
        ]),
        graph('Policies', 'Where they stand (host, route or both), and what they said.', 'reqps', [
          perSecond('mtls_policy_decisions_total', here, ['route', 'policy', 'decision', 'reason']),
        ]),
        graph('Handshakes', 'By what came of them.', 'cps', [
          perSecond('mtls_handshakes_total', here, ['result', 'reason']),
        ]),
        graph('TLS versions', 'none: the handshake broke off before one was agreed.', 'cps', [
          perSecond('mtls_handshakes_total', here, ['tls_version']),
        ]),
        graph('Ended midway', 'The client left, or the upstream broke off its response.', 'reqps', [
          perSecond('mtls_requests_aborted_total', here, ['reason']),
        ]),
      ],
    },
  ],
};
