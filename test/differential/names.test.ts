import t from 'tap';
import { createAuthority } from '../support/pki.ts';
import { needs } from '../support/program.ts';
import { judge, playAll, type Difference } from './difference.ts';
import type { HostSpec } from './hosts.ts';
import type { Case } from './observe.ts';
import { startSides } from './sides.ts';

// {server name} × {Host} × {certificate}, against two nginx: one whose unknown names find ingress-nginx's
// catch-all server, one whose unknown names find the mTLS host b.

const noCertificate = /^400 No required SSL certificate was sent$/;
const certificateError = /^400 The SSL certificate error$/;
const forwarded = /^forwarded 200$/;
const misdirected = /^421 Misdirected Request$/;
const notFound = /^404 Not Found$/;

const publicHosts: Difference = {
  cases: /Host public,/,
  outcome: forwarded,
  fact: 'header ssl-client-verify',
  nginx: null,
  ours: /^NONE$/,
  reason: 'a host without auth-tls says so to its backend, and what a client writes there never stands',
};
const hostDeep: Omit<Difference, 'cases' | 'nginx'> = {
  fact: 'outcome',
  ours: notFound,
  reason: 'a wildcard is one label, as in Kubernetes and in certificates; nginx’s is any number',
};

/** nginx with ingress-nginx's catch-all server `_`. */
const differences: readonly Difference[] = [
  publicHosts,
  { ...hostDeep, cases: /^SNI (?!deep|absent|unknown).*Host deep,/, nginx: misdirected },
  {
    ...hostDeep,
    cases: /^SNI (?:deep|absent|unknown), Host deep,/,
    nginx: /^(?:400 No required SSL certificate was sent|400 The SSL certificate error|forwarded 200)$/,
  },
  {
    cases: /^SNI deep, Host (?:b|wild), /,
    fact: 'outcome',
    nginx: misdirected,
    ours: /^(?:400 No required SSL certificate was sent|400 The SSL certificate error|forwarded 200)$/,
    reason: 'a server name of two labels below a wildcard is unknown: the strictest host, b, stands in',
  },
  {
    cases: /^SNI (?:absent|unknown), Host (?:a|A upper|a dot|a port), /,
    fact: 'outcome',
    nginx: noCertificate,
    ours: misdirected,
    reason:
      'without a known server name nginx asks for no certificate and complains that none came; 421 tells what is wrong',
  },
  {
    cases: /^SNI (?:absent|unknown), Host (?:b|wild), certificate A/,
    fact: 'outcome',
    nginx: noCertificate,
    ours: certificateError,
    reason: 'without a known server name the strictest host stands in and looks at the certificate',
  },
  {
    cases: /^SNI (?:absent|unknown), Host (?:b|wild), certificate B/,
    fact: 'outcome',
    nginx: noCertificate,
    ours: forwarded,
    reason:
      'a client without a server name that was verified against the very trust store of the host may come in',
  },
  {
    cases: /^SNI (?:absent|unknown), Host o, /,
    fact: 'outcome',
    nginx: forwarded,
    ours: misdirected,
    reason:
      'a host with client certificates never answers on a connection that was not verified for it (rule 5)',
  },
];

/** nginx where the mTLS host b answers for unknown names. */
const withDefaultHost: readonly Difference[] = [
  publicHosts,
  {
    ...hostDeep,
    cases: /Host deep,/,
    nginx: /^(?:400 No required SSL certificate was sent|400 The SSL certificate error|forwarded 200)$/,
  },
  {
    cases: /Host (?:unknown|address),/,
    fact: 'outcome',
    nginx: /^(?:400 No required SSL certificate was sent|400 The SSL certificate error|forwarded 200)$/,
    ours: notFound,
    reason: 'no host serves names that it does not have',
  },
  {
    cases: /Host (?:a|A upper|a dot|a port), certificate B/,
    fact: 'outcome',
    nginx: forwarded,
    ours: misdirected,
    reason:
      'nginx’s hole: without a matching server name it asks for b’s certificates and lets them into a, which trusts another CA',
  },
  {
    cases: /Host (?:a|A upper|a dot|a port), certificate none/,
    fact: 'outcome',
    nginx: noCertificate,
    ours: misdirected,
    reason: 'the connection was not verified for a, with or without a certificate',
  },
  {
    cases: /Host (?:a|A upper|a dot|a port|o), certificate A/,
    fact: 'outcome',
    nginx: certificateError,
    ours: misdirected,
    reason: 'the certificate is a’s and good: what is wrong is the connection, which was verified for b',
  },
  {
    cases: /Host o, certificate (?:none|B)/,
    fact: 'outcome',
    nginx: forwarded,
    ours: misdirected,
    reason: 'nginx’s hole again: verified for b, or not at all, and served as o',
  },
];

const serverNames: Readonly<Record<string, string | undefined>> = {
  a: 'a.test',
  b: 'b.test',
  o: 'o.test',
  public: 'public.test',
  wild: 'x.wild.test',
  deep: 'x.y.wild.test',
  absent: undefined,
  unknown: 'nobody.test',
  'A upper': 'A.TEST',
  'a dot': 'a.test.',
};
const hostHeaders: Readonly<Record<string, string>> = {
  a: 'a.test',
  b: 'b.test',
  o: 'o.test',
  public: 'public.test',
  wild: 'x.wild.test',
  deep: 'x.y.wild.test',
  unknown: 'nobody.test',
  'A upper': 'A.Test',
  'a dot': 'a.test.',
  'a port': 'a.test:8443',
  address: '127.0.0.1',
};

await t.test(
  'every server name, Host and certificate meet as at nginx, but for those listed',
  needs('nginx', '-v'),
  async (t) => {
    const caA = await createAuthority({ cn: 'CA A' });
    const caB = await createAuthority({ cn: 'CA B' });
    const certificates = { none: null, A: await caA.issue({ cn: 'a' }), B: await caB.issue({ cn: 'b' }) };
    const hosts: HostSpec[] = [
      { name: 'b.test', clientAuth: { verify: 'on', ca: 'b.pem' } },
      { name: 'a.test', clientAuth: { verify: 'on', ca: 'a.pem' } },
      { name: 'o.test', clientAuth: { verify: 'optional', ca: 'a.pem' } },
      { name: '*.wild.test', clientAuth: { verify: 'on', ca: 'b.pem' } },
      { name: 'public.test' },
    ];
    const server = await caA.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
    const sides = await startSides(t, hosts, {
      'server.pem': server.bundle,
      'server.key': server.key,
      'a.pem': caA.cert,
      'b.pem': caB.cert,
    });
    const cases: Case[] = [];
    for (const [sni, serverName] of Object.entries(serverNames)) {
      for (const [host, header] of Object.entries(hostHeaders)) {
        for (const [certificateOf, certificate] of Object.entries(certificates)) {
          const title = `SNI ${sni}, Host ${host}, certificate ${certificateOf}`;
          const common = { certificate, ...(serverName === undefined ? {} : { serverName }) };
          cases.push({ ...common, title, bytes: `GET / HTTP/1.1\r\nHost: ${header}\r\n\r\n` });
          if (!/^(?:a|b|public)$/.test(host)) continue;
          cases.push({
            ...common,
            title: `${title}, absolute-form`,
            bytes: `GET https://${header}/ HTTP/1.1\r\nHost: ${header}\r\n\r\n`,
          });
        }
      }
    }
    judge(t, await playAll(cases, sides), differences);
    const unmatched = cases.filter(({ title }) => /^SNI (?:absent|unknown)/.test(title));
    judge(t, await playAll(unmatched, { nginx: sides.nginxFirst, ours: sides.ours }), withDefaultHost);
  },
);
