import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { dashboards } from '../../deploy/grafana/dashboards.ts';
import { exchange, openTls, request } from '../support/client.ts';
import { freePort } from '../support/free-port.ts';
import { createAuthority, keyFromPem } from '../support/pki.ts';
import { needs } from '../support/program.ts';
import { Prometheus } from '../support/prometheus.ts';
import { startBackend } from '../support/proxy.ts';
import { serve } from '../support/serve.ts';
import { makeResponse } from '../tls/ocsp/respond.ts';

const root = await createAuthority({ cn: 'Root A' });
const good = await root.issue({ ou: 'ITOps', cn: 'roshankhatri' });
const sales = await root.issue({ ou: 'Sales', cn: 'seller' });
const server = await root.issue({ cn: 'server', hosts: ['a.test', 'b.test'], usage: 'server' });

/** Has some of everything that a dashboard shows. */
const configuration = (endpoint: string, responder: number, staple: string): string => `
hosts:
  - names: [a.test]
    certificate: { cert: server.pem, key: server.key, ocspResponse: '${staple}' }
    clientAuth:
      mode: require
      ca: ca.pem
      crl: crl.pem
      ocsp: { mode: soft, responder: 'http://127.0.0.1:${responder}/' }
    routes: [{ path: /, upstream: backend, policy: { ou: ITOps } }]
  - names: [b.test]
    certificate: { cert: server.pem, key: server.key }
    clientAuth: { mode: require, ca: ca.pem }
    mode: report
    policy: { ou: ITOps }
    routes: [{ path: /, upstream: backend }]
upstreams: { backend: { endpoints: ['${endpoint}'] } }
`;

const files = {
  'server.pem': server.cert + root.cert,
  'server.key': server.key,
  'ca.pem': root.cert,
  'crl.pem': root.crl(),
};

await t.test(
  'a real Prometheus answers every query of every dashboard with data, and takes the alerts',
  { timeout: 120_000, ...needs('prometheus') },
  async (t) => {
    const backend = await startBackend(t);
    // Nobody is there: soft lets in, and it is counted.
    const responder = await freePort();
    // In a folder of its own: what `serve` writes is text.
    const staple = join(mkdtempSync(join(tmpdir(), 'mtls-ingress-')), 'staple.der');
    t.teardown(() => rmSync(dirname(staple), { recursive: true }));
    const signer = { der: root.der, key: keyFromPem(root.key) };
    writeFileSync(staple, makeResponse({ leaf: server.der, issuer: root.der, signer }));
    const program = await serve(t, configuration(backend.endpoint, responder, staple), files);
    const prometheus = await Prometheus.start(
      t,
      [`127.0.0.1:${program.adminPort}`],
      [join(import.meta.dirname, '..', '..', 'deploy', 'prometheus', 'alerts.yaml')],
    );
    const port = program.httpsPort;
    let session: Buffer | null = null;
    /** One of each: good, resumed, without a certificate, refused by policy, no such route's host, no TLS at all. */
    const traffic = async (): Promise<void> => {
      for (const certificate of [good, null, sales]) {
        await request({ port, serverName: 'a.test', host: 'a.test', certificate });
      }
      await request({ port, serverName: 'b.test', host: 'b.test', certificate: sales });
      await request({ port, serverName: 'a.test', host: 'nobody.test', certificate: good });
      const socket: TLSSocket = await openTls({
        port,
        serverName: 'a.test',
        certificate: good,
        ...(session === null ? {} : { tls: { session } }),
      });
      socket.on('session', (ticket) => (session = ticket));
      await exchange(
        socket,
        'POST / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi',
      );
      // No cipher in common. It may fail twice: by our alert, and by the reset behind it.
      const broken = connect({ host: '127.0.0.1', port, ciphers: 'AES256-SHA', maxVersion: 'TLSv1.2' });
      broken.on('error', () => {});
      await new Promise((resolve) => broken.once('close', resolve));
    };

    const unanswered = new Map<string, string>();
    for (const { uid, rows } of dashboards) {
      for (const { panels } of rows) {
        for (const { title, queries } of panels) {
          // There is no cluster here.
          if (title === 'Kubernetes API') continue;
          for (const { expr } of queries) {
            const query = expr
              .replaceAll(/\$(?:job|instance|host)\b/g, '.*')
              .replaceAll('$__rate_interval', '5s');
            unanswered.set(`${uid}: ${title}: ${query}`, query);
          }
        }
      }
    }
    t.ok(unanswered.size > 60, `${unanswered.size} queries`);
    let rules: ReadonlyMap<string, string> = new Map();
    for (const until = Date.now() + 90_000; Date.now() < until;) {
      await traffic();
      for (const [name, query] of unanswered) {
        if ((await prometheus.query(query)).length > 0) unanswered.delete(name);
      }
      rules = await prometheus.rules();
      if (unanswered.size === 0 && ![...rules.values()].includes('unknown')) break;
      // Prometheus tells nobody that it has scraped.
      await wait(200);
    }
    t.same([...unanswered.keys()], []);
    t.ok(rules.size > 20, `${rules.size} alerts`);
    t.same(
      [...rules].filter(([, health]) => health !== 'ok'),
      [],
    );
    const [refused] = await prometheus.query(
      'sum(mtls_policy_decisions_total{decision="deny", reason="policy_ou"})',
    );
    t.ok((refused?.value ?? 0) > 0, 'and the numbers are those of the traffic');
  },
);
