import t from 'tap';
import { needsCluster, TestCluster, fileText } from '../support/cluster.ts';
import { get, Load, startController, startNamed, until } from '../support/controller.ts';
import { ingress, ingressClass, secret, service, slice } from '../support/objects.ts';
import { ownAddress } from '../support/own-address.ts';
import { createAuthority } from '../support/pki.ts';

const root = await createAuthority({ cn: 'Root A' });
const certificateOf = async (cn: string, ...hosts: string[]): Promise<Readonly<Record<string, string>>> => {
  const { bundle, key } = await root.issue({ cn, hosts, usage: 'server' });
  return { 'tls.crt': bundle, 'tls.key': key };
};

void t.test('a controller over a real API server', needsCluster(), async (t) => {
  const cluster = await TestCluster.start(t);
  const address = ownAddress(t);
  const port = await startNamed(t, 'one', address);

  await t.test("the user's manifest, applied as it is, answers to a client certificate", async (t) => {
    const host = 'in.logpoint.com.np';
    await cluster.kubectl(['create', 'namespace', 'ingress-nginx']);
    await cluster.apply(
      ingressClass('nginx', 'k8s.io/ingress-nginx', true),
      service('httpbin', 8000),
      slice('httpbin-1', 'httpbin', port, [address]),
      secret(
        'logpoint-ingress',
        { ...(await certificateOf('server', host)), 'ca.crt': root.cert },
        'ingress-nginx',
      ),
    );
    const controller = await startController(t, cluster.kubeconfig, {
      'allow-cross-namespace-secrets': true,
    });
    t.equal((await get(controller.port, host)).status, 404, 'there is no such host yet');
    await cluster.apply(fileText('config', 'ingress', 'httpbin.yaml'));
    const certificate = await root.issue({ cn: 'roshankhatri', ou: 'ITOps' });
    await until('it answers', async () => (await get(controller.port, host, { certificate })).status === 200);
    t.equal((await get(controller.port, host, { certificate })).body, 'one');
    t.equal((await get(controller.port, host)).status, 400);
    await cluster.kubectl(['delete', 'ingress', 'httpbin']);
    await until('it is gone', async () => (await get(controller.port, host, { certificate })).status === 404);
  });

  await t.test('objects created, changed and deleted, and not a request lost', async (t) => {
    await cluster.apply(
      secret('web-tls', await certificateOf('first', 'web.test')),
      service('web'),
      slice('web-1', 'web', port, [address]),
      ingress({ host: 'web.test', tls: 'web-tls' }),
    );
    const controller = await startController(t, cluster.kubeconfig);
    t.match(await get(controller.port, 'web.test'), { status: 200, server: 'first', body: 'one' });
    const load = new Load(controller.port, 'web.test');
    await cluster.apply(secret('web-tls', await certificateOf('second', 'web.test')));
    await until(
      'the new certificate',
      async () => (await get(controller.port, 'web.test')).server === 'second',
    );
    t.same(await load.stop(), []);
    t.ok(load.count > 10);
  });
});
