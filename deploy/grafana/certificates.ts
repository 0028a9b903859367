import { chosen, graph, query, stat, table, type Dashboard } from './panel.ts';

/** Seconds left, each series once however many instances have it. */
const left = (metric: string, by: string): string => `min by (${by}) (${metric}{${chosen}}) - time()`;

const week = 604_800;

export const certificates: Dashboard = {
  uid: 'mtls-ingress-certificates',
  title: 'mtls-ingress / certificates',
  description: 'Certificates, CAs, CRLs and stapled answers, and how long each still holds.',
  byHost: false,
  rows: [
    {
      title: 'The first to end',
      panels: [
        stat(
          'Certificate',
          'Of a host.',
          's',
          [query(`min(mtls_server_certificate_not_after_seconds{${chosen}}) - time()`, '')],
          {
            thresholds: { orange: 3 * week, red: week, falling: true },
          },
        ),
        stat(
          'CA',
          'That clients are verified against.',
          's',
          [query(`min(mtls_ca_certificate_not_after_seconds{${chosen}}) - time()`, '')],
          {
            thresholds: { orange: 13 * week, red: 4 * week, falling: true },
          },
        ),
        stat(
          'CRL',
          'Past it every client of its CA is refused, unless configured otherwise.',
          's',
          [query(`min(mtls_crl_next_update_seconds{${chosen}}) - time()`, '')],
          {
            thresholds: { orange: 86_400, red: 3600, falling: true },
          },
        ),
        stat(
          'Stapled answer',
          'Of those that are stapled.',
          's',
          [query(`min(mtls_ocsp_staple_next_update_seconds{${chosen}} > 0) - time()`, '')],
          {
            thresholds: { orange: 86_400, red: 3600, falling: true },
          },
        ),
        stat(
          'Hosts without their staple',
          'That are to have one.',
          'short',
          [
            query(
              `count(min by (host) (mtls_ocsp_staple_next_update_seconds{${chosen}}) == 0) or vector(0)`,
              '',
            ),
          ],
          {
            thresholds: { orange: 1, red: 1 },
          },
        ),
        stat('Revoked', 'Certificates that CRLs revoke.', 'short', [
          query(`sum(max by (issuer) (mtls_crl_revoked_entries{${chosen}}))`, ''),
        ]),
      ],
    },
    {
      title: 'All of them',
      panels: [
        table(
          'Certificates of hosts',
          'Time left.',
          's',
          [query(left('mtls_server_certificate_not_after_seconds', 'host'), '{{host}}')],
          {
            thresholds: { orange: 3 * week, red: week, falling: true },
          },
        ),
        table(
          'CAs',
          'Time left. The soonest ones of each host, where there are many.',
          's',
          [
            query(
              left('mtls_ca_certificate_not_after_seconds', 'host, subject, fingerprint'),
              '{{host}} {{subject}} {{fingerprint}}',
            ),
          ],
          {
            thresholds: { orange: 13 * week, red: 4 * week, falling: true },
          },
        ),
        table(
          'CRLs',
          'Time left until there must be a new one.',
          's',
          [query(left('mtls_crl_next_update_seconds', 'host, issuer'), '{{host}} {{issuer}}')],
          {
            thresholds: { orange: 86_400, red: 3600, falling: true },
          },
        ),
        table(
          'Stapled answers',
          'Time left.',
          's',
          [query(`min by (host) (mtls_ocsp_staple_next_update_seconds{${chosen}} > 0) - time()`, '{{host}}')],
          {
            thresholds: { orange: 86_400, red: 3600, falling: true },
          },
        ),
      ],
    },
    {
      title: 'Over time',
      panels: [
        graph('Age of CRLs', 'A saw-tooth, as long as new ones come.', 's', [
          query(`max by (host, issuer) (mtls_crl_age_seconds{${chosen}})`, '{{host}} {{issuer}}'),
        ]),
        graph('Clients', 'Identities that are remembered, and those whose certificate runs out.', 'short', [
          query(`max by (job) (mtls_identities{${chosen}})`, 'all of {{job}}'),
          query(`max by (window) (mtls_identities_expiring{${chosen}})`, 'within {{window}}'),
        ]),
        graph('Revoked certificates', 'By the CA that revoked them.', 'short', [
          query(`max by (issuer) (mtls_crl_revoked_entries{${chosen}})`, '{{issuer}}'),
        ]),
        graph(
          'Clients turned away for their dates',
          'Expired, not yet valid, or judged by a CRL past its date.',
          'cps',
          [
            query(
              `sum by (host, reason) (rate(mtls_handshakes_total{${chosen}, reason=~"expired|not_yet_valid|crl_expired|crl_missing"}[$__rate_interval]))`,
              '{{host}} {{reason}}',
            ),
          ],
        ),
        graph('Clients turned away as revoked', '', 'cps', [
          query(
            `sum by (host) (rate(mtls_handshakes_total{${chosen}, reason="revoked"}[$__rate_interval]))`,
            '{{host}}',
          ),
        ]),
      ],
    },
  ],
};
