import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { Agent } from 'node:https';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { needsCluster, TestCluster } from '../support/cluster.ts';
import { get, Load, startController, startNamed, until } from '../support/controller.ts';
import { ingress, ingressClass, type Manifest, secret, service, slice } from '../support/objects.ts';
import { ownAddress } from '../support/own-address.ts';
import { createAuthority } from '../support/pki.ts';

const server = await createAuthority({ cn: 'Servers' });
const [first, second] = [
  await createAuthority({ cn: 'First CA' }),
  await createAuthority({ cn: 'Second CA' }),
];

// Kubernetes 1.20 keeps the conditions of endpoints that end only if it is told to; newer ones always do, and know no such gate.
const flags =
  process.env['KUBEBUILDER_ASSETS'] === undefined
    ? ['--feature-gates=EndpointSliceTerminatingCondition=true']
    : [];

void t.test(
  'what rotates under connections that stay',
  { ...needsCluster(), timeout: 120_000 },
  async (t) => {
    const cluster = await TestCluster.start(t, { flags });
    const address = ownAddress(t);
    const port = await startNamed(t, 'one', address);
    const { bundle, key } = await server.issue({
      cn: 'server',
      hosts: ['open.test', 'mutual.test', 'ending.test'],
      usage: 'server',
    });
    await cluster.put(
      ingressClass(),
      service(),
      slice('web-1', 'web', port, [address]),
      secret('pair', { 'tls.crt': bundle, 'tls.key': key }),
      ingress({ host: 'open.test', tls: 'pair' }),
    );

    await t.test(
      'a CA and its CRL, as cert-manager writes them, hold for connections that are open',
      async (t) => {
        const ca = (files: Readonly<Record<string, string>>): Manifest =>
          secret('mutual-tls', { 'tls.crt': bundle, 'tls.key': key, ...files });
        await cluster.put(
          ca({ 'ca.crt': first.cert }),
          ingress({
            host: 'mutual.test',
            tls: 'mutual-tls',
            annotations: { 'auth-tls-secret': 'default/mutual-tls' },
          }),
        );
        const controller = await startController(t, cluster.kubeconfig);
        const load = new Load(controller.port, 'open.test');
        t.teardown(() => load.stop());
        const clientOf = (issued: { readonly bundle: string; readonly key: string }) => {
          const agent = new Agent({
            keepAlive: true,
            maxSockets: 1,
            rejectUnauthorized: false,
            cert: issued.bundle,
            key: issued.key,
          });
          t.teardown(() => agent.destroy());
          return async (): Promise<number> => (await get(controller.port, 'mutual.test', { agent })).status;
        };
        const leaf = await first.issue({ cn: 'old' });
        const old = clientOf(leaf);
        const other = clientOf(await first.issue({ cn: 'other' }));
        const young = clientOf(await second.issue({ cn: 'young' }));
        const become = (what: string, who: () => Promise<number>, status: number): Promise<void> =>
          until(what, async () => (await who()) === status);
        t.same([await old(), await other(), await young()], [200, 200, 400]);

        await cluster.put(ca({ 'ca.crt': first.cert, 'ca.crl': first.crl({ revoked: [leaf] }) }));
        await become('who is revoked is let in no more', old, 400);
        await become('others are', other, 200);
        await cluster.put(ca({ 'ca.crt': first.cert }));
        await become('without the list it is let in', old, 200);

        await cluster.put(ca({ 'ca.crt': first.cert + second.cert }));
        await become('both CAs count while one follows the other', young, 200);
        await become('the old one too', old, 200);
        await cluster.put(ca({ 'ca.crt': second.cert }));
        await become('the old one counts no more', old, 400);
        await become('the young one does', young, 200);

        await cluster.put(ca({ 'ca.crt': 'rubbish' }));
        await become('one that cannot be read lets nobody in', young, 403);
        t.match(
          await get(controller.port, 'mutual.test'),
          { server: 'server' },
          'with the certificate of the same Secret',
        );
        await cluster.put(ca({ 'ca.crt': second.cert }));
        await become('until it can be', young, 200);
        t.same(await load.stop(), []);
      },
    );

    await t.test('an endpoint that ends answers what it has begun, and gets nothing new', async (t) => {
      const waiting: ServerResponse[] = [];
      const ending = createServer((request, response) => {
        if (request.url === '/slow') waiting.push(response);
        else response.end('ending');
      }).listen(0, address);
      await once(ending, 'listening');
      t.teardown(() => {
        ending.closeAllConnections();
        ending.close();
      });
      const target = (ending.address() as AddressInfo).port;
      const state = (ready: boolean): Manifest =>
        slice('ending-1', 'ending', target, [
          { address, conditions: ready ? { ready } : { ready, serving: true, terminating: true } },
        ]);
      const others = (...addresses: readonly string[]): Manifest =>
        slice('ending-2', 'ending', port, addresses);
      await cluster.put(
        service('ending'),
        state(true),
        others(),
        ingress({ host: 'ending.test', service: 'ending', tls: 'pair' }),
      );
      const controller = await startController(t, cluster.kubeconfig);
      t.match(await get(controller.port, 'ending.test'), { status: 200, body: 'ending' });
      const slow = get(controller.port, 'ending.test', { path: '/slow' });
      await until('it is under way', () => waiting.length === 1);
      const upstream = () => controller.app.snapshot.upstreams.get('default.ending.80')?.endpoints ?? [];
      await cluster.put(others(address));
      const load = new Load(controller.port, 'ending.test');
      t.teardown(() => load.stop());
      await until('there are two', () => upstream().length === 2);
      await cluster.put(state(false));
      await until('one is left', () => upstream().length === 1);
      for (let round = 0; round < 10; round++)
        t.equal((await get(controller.port, 'ending.test')).body, 'one');
      waiting[0]?.end('in the end');
      t.match(await slow, { status: 200, body: 'in the end' });

      await cluster.put(others());
      await until('when all end', async () => (await get(controller.port, 'ending.test')).body === 'ending');
      t.same(await load.stop(), [], 'they serve on, and nothing is lost on the way');
    });

    await t.test('endpoints alone leave hosts as they were compiled', async (t) => {
      const controller = await startController(t, cluster.kubeconfig);
      const { snapshot: before } = controller.app;
      await cluster.put(slice('web-1', 'web', port, [address, '192.0.2.1']));
      const count = (): number =>
        controller.app.snapshot.upstreams.get('default.web.80')?.endpoints.length ?? 0;
      await until('there is one more', () => count() === 2);
      const { snapshot: after } = controller.app;
      for (const host of ['open.test', 'mutual.test', 'ending.test'])
        t.equal(after.hosts.find(host), before.hosts.find(host));
      t.equal(after.upstreams.get('default.ending.80'), before.upstreams.get('default.ending.80'));
      t.not(after.upstreams.get('default.web.80'), before.upstreams.get('default.web.80'));
      await cluster.put(slice('web-1', 'web', port, [address]));
    });
  },
);
