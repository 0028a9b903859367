import { join } from 'node:path';
import t, { type Test } from 'tap';
import { needsCluster, TestCluster } from '../support/cluster.ts';
import { type Controller, get, Load, startController, startNamed, until } from '../support/controller.ts';
import { ingress, ingressClass, type Manifest, secret, service, slice } from '../support/objects.ts';
import { ownAddress } from '../support/own-address.ts';
import { createAuthority } from '../support/pki.ts';
import { kustomize } from '../support/rendered.ts';

const overlay = join(import.meta.dirname, '..', '..', 'deploy', 'kubernetes', 'overlays', 'edge');
const root = await createAuthority({ cn: 'Root A' });

interface Event {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly involvedObject: { readonly kind: string; readonly name: string };
}

const broken = (host: string): Manifest =>
  ingress({ host, annotations: { 'auth-tls-secret': 'default/absent' } });
/** What a broken one answers. */
const refused = 403;
const mended = (host: string): Manifest => ingress({ host });

const isLeader = (controller: Controller): boolean =>
  controller.logged('this replica leads: it is the one that writes to the cluster').length > 0;

/** One of them writes. */
const leads = (...controllers: readonly Controller[]): Promise<void> =>
  until('one leads', () => controllers.some(isLeader));

/** The Pod's namespace, where its Lease is. */
function inNamespace(t: Test, namespace: string): void {
  const before = process.env['POD_NAMESPACE'];
  process.env['POD_NAMESPACE'] = namespace;
  t.teardown(() => {
    if (before === undefined) delete process.env['POD_NAMESPACE'];
    else process.env['POD_NAMESPACE'] = before;
  });
}

void t.test('problems are Events on their objects', { ...needsCluster(), timeout: 200_000 }, async (t) => {
  const cluster = await TestCluster.start(t);
  const address = ownAddress(t);
  const port = await startNamed(t, 'one', address);
  await cluster.put(
    ingressClass(),
    service(),
    slice('web-1', 'web', port, [address]),
    ingress({ host: 'web.test' }),
  );
  /** Of an Ingress; the ones of a name that were not there before. */
  const events = async (host: string): Promise<readonly Event[]> => {
    const { items } = await cluster.client().list('/api/v1/namespaces/default/events');
    const name = host.replaceAll('.', '-');
    return (items as readonly Event[]).filter(({ involvedObject }) => involvedObject.name === name);
  };
  const counted = (host: string, count: number): Promise<void> =>
    until(`${host} has one that counts ${count}`, async () => {
      const found = await events(host);
      return found.length === 1 && found[0]?.count === count;
    });
  const served = (controller: Controller, host: string, status = 200): Promise<void> =>
    until(`${host} answers ${status}`, async () => (await get(controller.port, host)).status === status);

  await t.test('kubectl describe shows them; mended and broken again they count', async (t) => {
    const controller = await startController(t, cluster.kubeconfig);
    await leads(controller);
    await cluster.put(broken('broken.test'));
    await counted('broken.test', 1);
    const [event] = await events('broken.test');
    t.match(event, { type: 'Warning', reason: 'InvalidAnnotation', involvedObject: { kind: 'Ingress' } });
    t.ok(
      controller.log.some(({ message }) => message === event?.message),
      'the log says the same',
    );
    const described = await cluster.kubectl(['describe', 'ingress', 'broken-test']);
    t.match(
      described,
      /Warning +InvalidAnnotation +\S+ +mtls-ingress +kubernetes Ingress default\/broken-test \S*auth-tls-secret there is no Secret default\/absent/,
    );
    t.comment(described.slice(described.indexOf('Events:')));
    // Other things change all the while.
    await cluster.put(slice('web-1', 'web', port, [address, '192.0.2.1']));
    await cluster.put(slice('web-1', 'web', port, [address]));
    await cluster.put(mended('broken.test'));
    await served(controller, 'broken.test');
    t.match(await events('broken.test'), [{ count: 1 }]);
    await cluster.put(broken('broken.test'));
    await counted('broken.test', 2);
    await served(controller, 'broken.test', refused);
    await cluster.remove(broken('broken.test'));
  });

  await t.test(
    'a Secret that is broken, and one that is not there, are told of where they are used',
    async (t) => {
      const { bundle, key } = await root.issue({ cn: 'first', hosts: ['tls.test'], usage: 'server' });
      await cluster.put(
        secret('web-tls', { 'tls.crt': bundle, 'tls.key': key }),
        ingress({ host: 'tls.test', tls: 'web-tls' }),
      );
      const controller = await startController(t, cluster.kubeconfig);
      await leads(controller);
      await cluster.put(secret('web-tls', { 'tls.crt': 'rubbish', 'tls.key': 'rubbish' }));
      await counted('tls.test', 1);
      t.match(await events('tls.test'), [
        {
          reason: 'InvalidCertificate',
          message: /Secret default\/web-tls .*keeps the certificate that it had/,
        },
      ]);
      t.match(await get(controller.port, 'tls.test'), { status: 200, server: 'first' });
      await cluster.remove(secret('web-tls', {}));
      await until('it is gone', async () =>
        (await events('tls.test')).some(({ message }) => message.includes('is not there')),
      );
    },
  );

  await t.test('of two replicas one writes, and the other goes on counting when it ends', async (t) => {
    const replicas = [
      await startController(t, cluster.kubeconfig),
      await startController(t, cluster.kubeconfig),
    ] as const;
    await leads(...replicas);
    const hosts = Array.from({ length: 20 }, (_, index) => `twice-${index}.test`);
    await cluster.put(...hosts.map(broken));
    for (const host of hosts) await counted(host, 1);
    const leader = replicas.find(isLeader)!;
    const other = replicas.find((one) => one !== leader)!;
    for (const replica of replicas) await served(replica, 'twice-0.test', refused);
    await leader.app.stop();
    await leads(other);
    await cluster.put(mended('twice-0.test'));
    await served(other, 'twice-0.test');
    await cluster.put(broken('twice-0.test'));
    await counted('twice-0.test', 2);
    for (const host of hosts.slice(1)) t.match(await events(host), [{ count: 1 }]);
    await cluster.remove(...hosts.map(broken));
  });

  await t.test('the rights that are shipped are enough', async (t) => {
    const shipped = kustomize(overlay).filter(({ kind }) =>
      ['Namespace', 'ServiceAccount', 'Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding'].includes(
        kind,
      ),
    );
    await cluster.apply(...shipped);
    const account = (await cluster
      .client()
      .get('/api/v1/namespaces/mtls-ingress/serviceaccounts/mtls-ingress')) as {
      readonly metadata: { readonly uid: string };
    };
    const token = cluster.token('mtls-ingress', 'mtls-ingress', account.metadata.uid, 3600);
    inNamespace(t, 'mtls-ingress');
    const controller = await startController(t, cluster.writeKubeconfig('shipped', { token }));
    await leads(controller);
    for (const count of [1, 2]) {
      await cluster.put(broken('shipped.test'));
      await counted('shipped.test', count);
      await cluster.put(mended('shipped.test'));
      await served(controller, 'shipped.test');
    }
    t.equal(
      controller.logged('events cannot be written to the cluster: what is served is not touched by it')
        .length,
      0,
    );
  });

  await t.test('without the right what is served goes on, and one line says so', async (t) => {
    const user = await cluster.issueUser('silent');
    const apiGroup = 'rbac.authorization.k8s.io';
    const read = {
      verbs: ['get', 'list', 'watch'],
      apiGroups: ['', 'networking.k8s.io', 'discovery.k8s.io'],
    };
    await cluster.put(
      {
        apiVersion: `${apiGroup}/v1`,
        kind: 'ClusterRole',
        metadata: { name: 'silent' },
        rules: [
          { ...read, resources: ['*'] },
          { verbs: ['*'], apiGroups: ['coordination.k8s.io'], resources: ['leases'] },
        ],
      },
      {
        apiVersion: `${apiGroup}/v1`,
        kind: 'ClusterRoleBinding',
        metadata: { name: 'silent' },
        roleRef: { apiGroup, kind: 'ClusterRole', name: 'silent' },
        subjects: [{ kind: 'User', apiGroup, name: 'silent' }],
      },
    );
    const controller = await startController(t, cluster.writeKubeconfig('silent', user));
    await leads(controller);
    const load = new Load(controller.port, 'web.test');
    t.teardown(() => load.stop());
    const said = () =>
      controller.logged('events cannot be written to the cluster: what is served is not touched by it');
    await cluster.put(broken('silent.test'));
    await until('it is told', () => said().length > 0);
    for (let round = 0; round < 3; round++) {
      await cluster.put(mended('silent.test'));
      await served(controller, 'silent.test');
      await cluster.put(broken('silent.test'));
      await served(controller, 'silent.test', refused);
    }
    t.match(said(), [{ level: 'warn', namespace: 'default', detail: /events is forbidden/ }]);
    t.equal(said().length, 1);
    t.same(await events('silent.test'), []);
    t.same(await load.stop(), []);
    t.ok(load.count > 20, 'there were requests all along');
  });
});
