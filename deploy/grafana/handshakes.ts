import { chosen, graph, perSecond, quantiles, query, type Dashboard } from './panel.ts';

export const handshakes: Dashboard = {
  uid: 'mtls-ingress-handshakes',
  title: 'mtls-ingress / handshakes',
  description: 'Who comes in by TLS, who does not, and why.',
  byHost: false,
  rows: [
    {
      title: 'What came of them',
      panels: [
        graph(
          'Handshakes',
          'A rejected one broke off, or its client certificate will be answered with an error.',
          'cps',
          [perSecond('mtls_handshakes_total', chosen, ['result'])],
          { stacked: true },
        ),
        graph('Rejected, by reason', 'The log says of each who it was.', 'cps', [
          perSecond('mtls_handshakes_total', `${chosen}, result="rejected"`, ['reason']),
        ]),
        graph('Rejected, by host', '_: before a host was found.', 'cps', [
          perSecond('mtls_handshakes_total', `${chosen}, result="rejected"`, ['host']),
        ]),
        graph(
          'Share rejected, by host',
          'A step of it behind a change of CAs is that change.',
          'percentunit',
          [
            query(
              `sum by (host) (rate(mtls_handshakes_total{${chosen}, result="rejected"}[$__rate_interval])) / (sum by (host) (rate(mtls_handshakes_total{${chosen}}[$__rate_interval])) > 0)`,
              '{{host}}',
            ),
          ],
        ),
      ],
    },
    {
      title: 'What they cost',
      panels: [
        graph(
          'Duration',
          'From accepting a connection to the end of its handshake.',
          's',
          quantiles('mtls_handshake_duration_seconds', chosen),
        ),
        graph('Duration, p99, full and resumed', 'A resumed handshake proves no chain.', 's', [
          query(
            `histogram_quantile(0.99, sum by (le, resumed) (rate(mtls_handshake_duration_seconds_bucket{${chosen}, result="accepted"}[$__rate_interval])))`,
            'resumed: {{resumed}}',
          ),
        ]),
        graph('Share resumed', 'By host.', 'percentunit', [
          query(
            `sum by (host) (rate(mtls_sessions_resumed_total{${chosen}}[$__rate_interval])) / (sum by (host) (rate(mtls_handshakes_total{${chosen}}[$__rate_interval])) > 0)`,
            '{{host}}',
          ),
        ]),
        graph('TLS versions and ciphers', 'Of handshakes that completed.', 'cps', [
          perSecond('mtls_tls_info_total', chosen, ['version', 'cipher']),
        ]),
      ],
    },
    {
      title: 'Connections',
      panels: [
        graph('Accepted', 'By listener.', 'cps', [perSecond('mtls_connections_total', chosen, ['listener'])]),
        graph('Open', 'By listener.', 'short', [
          query(`sum by (listener) (mtls_open_connections{${chosen}})`, '{{listener}}'),
        ]),
        graph(
          'Closed unread',
          'Too many in all, too many of one address, or no PROXY header where one has to be.',
          'cps',
          [perSecond('mtls_connections_refused_total', chosen, ['listener', 'reason'])],
        ),
        graph('Ended by a limit', 'Between requests.', 'cps', [
          perSecond('mtls_connections_ended_total', chosen, ['listener', 'reason']),
        ]),
      ],
    },
    {
      title: 'Revocation',
      panels: [
        graph('OCSP', 'Client certificates asked about, by what is known of them.', 'cps', [
          perSecond('mtls_ocsp_checks_total', chosen, ['host', 'result']),
        ]),
        graph('Served under a stale CRL', 'As configured (stale: allow or report).', 'reqps', [
          perSecond('mtls_crl_stale_requests_total', chosen, ['host']),
        ]),
      ],
    },
  ],
};
