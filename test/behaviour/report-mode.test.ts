import t from 'tap';
import type { Test } from 'tap';
import { valueOf } from '../observe/fixture.ts';
import { openTls, request } from '../support/client.ts';
import { denialsOf, DenialStream } from '../support/denials.ts';
import { createAuthority } from '../support/pki.ts';
import { type Backend, type Proxy, startBackend, startProxy } from '../support/proxy.ts';
import type { HostConfig } from '../../src/config/schema.ts';

const ca = await createAuthority({ cn: 'CA' });
const server = await ca.issue({ cn: 'server', hosts: ['a.test', 'b.test'], usage: 'server' });
const sales = await ca.issue({ cn: 'eve', ou: 'Sales' });
const itops = await ca.issue({ cn: 'bob', ou: 'ITOps' });
const stranger = await (await createAuthority({ cn: 'Other' })).issue({ cn: 'x', ou: 'ITOps' });
const soon = Date.now() + 1500;
const brief = await ca.issue({ cn: 'brief', ou: 'ITOps', notAfter: Math.ceil(soon / 1000) * 1000 });

async function start(t: Test, expressLane: boolean): Promise<Proxy & { readonly backend: Backend }> {
  const backend = await startBackend(t);
  const host = (name: string, changes: Partial<HostConfig>): HostConfig => ({
    names: [name],
    certificate: { cert: 'server.pem', key: 'server.key' },
    clientAuth: { mode: 'require', ca: 'ca.pem' },
    policy: { ou: 'ITOps' },
    routes: [{ path: '/', upstream: 'backend' }],
    ...changes,
  });
  const proxy = await startProxy(
    t,
    {
      hosts: [host('a.test', { mode: 'report' }), host('b.test', {})],
      upstreams: { backend: { endpoints: [backend.endpoint] } },
      expressLane,
    },
    { 'server.pem': server.bundle, 'server.key': server.key, 'ca.pem': ca.cert },
  );
  return { ...proxy, backend };
}

for (const express of [true, false]) {
  const lane = express ? 'express' : 'full';
  await t.test(`${lane}: whom it would refuse is served, logged, counted and recorded`, async (t) => {
    const proxy = await start(t, express);
    const { admin } = proxy.addresses;
    const stream = await DenialStream.open(admin.port, 'outcome=report');
    t.teardown(() => stream.close());
    const at = { port: proxy.port, serverName: 'a.test', host: 'a.test' };
    for (const [certificate, reason, check, verify] of [
      [null, 'no_certificate', 'certificate', 'NONE'],
      [stranger, 'untrusted', 'certificate', 'NONE'],
      [sales, 'policy_ou', 'host_policy', 'SUCCESS'],
    ] as const) {
      const answer = await request({ ...at, certificate });
      t.equal(answer.status, 200, reason);
      const seen = proxy.backend.seen.at(-1)!.headers;
      t.equal(seen['ssl-client-verify'], verify, reason);
      t.equal(
        seen['ssl-client-subject-dn'] === undefined,
        verify === 'NONE',
        'told only where it is verified',
      );
      t.match(await stream.next(), { reason, outcome: 'report', status: 200, kind: 'request' });
      await proxy.settled();
      const line = proxy.log.findLast(({ kind }) => kind === 'request');
      t.match(line, {
        level: 'warn',
        request: { status: 200, decision: 'ok', would_deny: { reason, check } },
      });
    }
    t.equal((await request({ ...at, certificate: itops })).status, 200);
    await proxy.settled();
    t.match(
      proxy.log.findLast(({ kind }) => kind === 'request'),
      { request: { would_deny: null } },
    );
    const handshakes = await denialsOf(admin.port, 'kind=handshake');
    t.same(handshakes.denials, [], 'a handshake that is served is none that failed');
    const page = await proxy.metrics();
    for (const reason of ['no_certificate', 'untrusted', 'policy_ou']) {
      t.equal(valueOf(page, 'mtls_would_deny_total', { host: 'a.test', reason }), 1, reason);
      t.equal(valueOf(page, 'mtls_refusals_total', { host: 'a.test', reason }), 0, reason);
    }
    t.equal((await request({ ...at, serverName: 'b.test', host: 'b.test', certificate: sales })).status, 403);
    t.equal(
      (await request({ ...at, host: 'b.test', certificate: sales })).status,
      421,
      'never from host to host',
    );
    const status = (await (await fetch(`http://127.0.0.1:${admin.port}/status`)).json()) as {
      hosts: unknown[];
    };
    t.match(status.hosts, [{ reports: ['certificate', 'hostPolicy'] }, { reports: [] }]);
  });

  await t.test(
    `${lane}: a certificate that expires on an open connection is no identity any more`,
    async (t) => {
      const proxy = await start(t, express);
      const certificate = brief;
      const socket = await openTls({ port: proxy.port, serverName: 'a.test', certificate });
      t.teardown(() => socket.destroy());
      const ask = async (): Promise<void> => {
        const answered = new Promise((resolve) => socket.once('data', resolve));
        socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
        await answered;
      };
      await ask();
      if (Date.now() < soon) t.equal(proxy.backend.seen.at(-1)!.headers['ssl-client-verify'], 'SUCCESS');
      // Nothing happens when a certificate runs out: there is only the clock to wait for.
      await new Promise((resolve) =>
        setTimeout(resolve, Math.max(0, Math.ceil(soon / 1000) * 1000 + 20 - Date.now())),
      );
      await ask();
      const { headers } = proxy.backend.seen.at(-1)!;
      t.equal(headers['ssl-client-verify'], 'NONE');
      t.equal(headers['ssl-client-subject-dn'], undefined);
    },
  );
}
