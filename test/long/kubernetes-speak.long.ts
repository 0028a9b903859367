import { once } from 'node:events';
import t, { type Test } from 'tap';
import { ApiError } from '../../src/ingress/kubernetes/api-error.ts';
import { pathOf, resources } from '../../src/ingress/kubernetes/resource.ts';
import { asController } from '../support/account.ts';
import { needsCluster, TestCluster } from '../support/cluster.ts';
import { get, Load, startController, startNamed, until } from '../support/controller.ts';
import { applyRendered, flagsOf, overlay } from '../support/deployed.ts';
import { configMap, ingress, ingressClass, service, slice } from '../support/objects.ts';
import { ownAddress } from '../support/own-address.ts';
import { type Program, serveWith } from '../support/serve.ts';

const [ingresses] = resources.ingresses;
const [leases] = resources.leases;
const [services] = resources.services;

interface Seen {
  readonly metadata: { readonly uid: string; readonly resourceVersion: string };
  readonly status: { readonly loadBalancer: { readonly ingress?: readonly object[] } };
}

void t.test('what is said to a real API server', { ...needsCluster(), timeout: 240_000 }, async (t) => {
  const cluster = await TestCluster.start(t);
  const address = ownAddress(t);
  const port = await startNamed(t, 'one', address);
  const client = cluster.client();
  const seen = async (name: string): Promise<Seen> =>
    (await client.get(pathOf(ingresses, 'default', name))) as Seen;
  const addressesOf = async (name: string): Promise<readonly object[]> =>
    (await seen(name)).status.loadBalancer.ingress ?? [];
  const has = (name: string, ...addresses: readonly object[]): Promise<void> =>
    until(
      `${name} has ${JSON.stringify(addresses)}`,
      async () => JSON.stringify(await addressesOf(name)) === JSON.stringify(addresses),
      40_000,
    );
  const holder = async (name: string, namespace = 'mtls-ingress'): Promise<string | undefined> => {
    try {
      const lease = await client.get(pathOf(leases, namespace, name));
      return (lease as { spec: { holderIdentity: string } }).spec.holderIdentity;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  };

  await applyRendered(cluster, overlay('edge'));
  // No Pod runs here that could answer it.
  await cluster.kubectl(['delete', 'validatingwebhookconfiguration', 'mtls-ingress']);
  await cluster.put(
    ingressClass('other', 'example.com/other'),
    service(),
    slice('web-1', 'web', port, [address]),
    ingress({ host: 'a.test' }),
    ingress({ host: 'b.test' }),
    ingress({ host: 'other.test', className: 'other' }),
    ingress({ host: 'none.test', className: null }),
  );
  const kubeconfig = await asController(cluster);
  const shipped = flagsOf(overlay('edge'));
  process.env['POD_NAMESPACE'] = 'mtls-ingress';
  t.teardown(() => {
    delete process.env['POD_NAMESPACE'];
    delete process.env['POD_NAME'];
  });
  /** The controller as a process of its own, with what it is shipped with. */
  const startProgram = (t: Test, ...flags: readonly string[]): Promise<Program> =>
    serveWith(t, [
      '--kubernetes',
      `--kubeconfig=${kubeconfig}`,
      '--address=127.0.0.1',
      '--https-port=0',
      '--http-port=0',
      '--admin-port=0',
      ...flags,
    ]);
  const says = (program: Program, message: string): Promise<void> =>
    until(message, () => program.logged(message).length > 0, 40_000);
  const leads = 'this replica leads: it is the one that writes to the cluster';
  const follows = 'another replica leads';

  await t.test('with the shipped rights and flags, kubectl shows the address of the Service', async (t) => {
    process.env['POD_NAME'] = 'mtls-ingress-0';
    t.teardown(() => delete process.env['POD_NAME']);
    const controller = await startController(t, kubeconfig, shipped);
    await until('it leads', async () => (await holder('mtls-ingress-leader')) === 'mtls-ingress-0');
    t.match(controller.source.status(), { leads: true });
    // A load balancer takes its time.
    t.same(await addressesOf('a-test'), []);
    await client.patch(pathOf(services, 'mtls-ingress', 'mtls-ingress', 'status'), {
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.10' }] } },
    });
    await has('a-test', { ip: '192.0.2.10' });
    await has('b-test', { ip: '192.0.2.10' });
    t.match(await cluster.kubectl(['get', 'ingress', 'a-test']), /a\.test +192\.0\.2\.10 /);
    t.same(await addressesOf('other-test'), [], 'an Ingress of another class is not ours to write');
    t.same(await addressesOf('none-test'), [], 'nor one of none');

    // One that comes later, one that becomes ours, and an address that changes.
    await cluster.put(ingress({ host: 'late.test' }), ingress({ host: 'other.test' }));
    await has('late-test', { ip: '192.0.2.10' });
    await has('other-test', { ip: '192.0.2.10' });
    await client.patch(pathOf(services, 'mtls-ingress', 'mtls-ingress', 'status'), {
      status: { loadBalancer: { ingress: [{ hostname: 'lb.example.com' }] } },
    });
    await has('late-test', { hostname: 'lb.example.com' });
    await cluster.remove(ingress({ host: 'late.test' }), ingress({ host: 'other.test' }));
    await cluster.put(ingress({ host: 'other.test', className: 'other' }));

    // Nothing is written that is there.
    await has('a-test', { hostname: 'lb.example.com' });
    await has('b-test', { hostname: 'lb.example.com' });
    const { resourceVersion } = (await seen('a-test')).metadata;
    await cluster.put(ingress({ host: 'new.test' }));
    await has('new-test', { hostname: 'lb.example.com' });
    t.equal((await seen('a-test')).metadata.resourceVersion, resourceVersion);
    await cluster.remove(ingress({ host: 'new.test' }));
    t.same(controller.source.health, { failing: 0, faults: [] }, 'no right is missing');
    t.same(
      controller.log.filter((line) => /forbidden|status of Ingresses|Lease/.test(JSON.stringify(line))),
      [],
    );

    await controller.app.stop();
    t.same(await addressesOf('a-test'), [], 'the last replica takes the addresses away');
    t.same(await addressesOf('b-test'), []);
    t.equal(await holder('mtls-ingress-leader'), '');
  });

  await t.test('an Ingress made anew under its name is another one to the server too', async (t) => {
    const { uid } = (await seen('a-test')).metadata;
    await cluster.remove(ingress({ host: 'a.test' }));
    await cluster.put(ingress({ host: 'a.test' }));
    const writing = client.patch(pathOf(ingresses, 'default', 'a-test', 'status'), {
      metadata: { uid },
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.66' }] } },
    });
    await t.rejects(writing, /uid/i);
    t.same(await addressesOf('a-test'), []);
  });

  await t.test(
    'of two replicas the leader is killed, the other takes over, and requests go on',
    async (t) => {
      const flags = ['--publish-status-address=192.0.2.20', '--election-id=mtls-ingress-leader'];
      const first = await startProgram(t, ...flags);
      await says(first, leads);
      await has('a-test', { ip: '192.0.2.20' });
      const second = await startProgram(t, ...flags);
      await says(second, follows);
      const before = await holder('mtls-ingress-leader');
      const load = new Load(second.httpsPort, 'a.test');
      t.teardown(() => load.stop());

      const exited = once(first.child, 'exit');
      first.child.kill('SIGKILL');
      await exited;
      const killedAt = performance.now();
      await cluster.put(ingress({ host: 'orphan.test' }));
      await says(second, leads);
      const tookMs = performance.now() - killedAt;
      await has('orphan-test', { ip: '192.0.2.20' });
      t.ok(tookMs > 10_000 && tookMs < 25_000, `after ${Math.round(tookMs)} ms`);
      t.not(await holder('mtls-ingress-leader'), before);

      // A third takes over in order: nothing is taken away, and it does not take fifteen seconds.
      const third = await startProgram(t, ...flags);
      await says(third, follows);
      t.same(await load.stop(), []);
      t.ok(load.count > 50, 'there were requests all along');
      const handedAt = performance.now();
      second.child.kill('SIGTERM');
      await Promise.all([says(third, leads), once(second.child, 'exit')]);
      t.equal(second.child.exitCode, 0);
      t.ok(performance.now() - handedAt < 12_000, `${Math.round(performance.now() - handedAt)} ms`);
      t.same(await addressesOf('orphan-test'), [{ ip: '192.0.2.20' }]);
      await cluster.remove(ingress({ host: 'orphan.test' }));
      third.child.kill('SIGTERM');
      await once(third.child, 'exit');
      t.equal(third.child.exitCode, 0);
      t.same(await addressesOf('a-test'), [], 'the last one takes them away');
      t.equal(await holder('mtls-ingress-leader'), '');
    },
  );

  await t.test('of several worker processes on a host one takes part', async (t) => {
    await cluster.put(configMap('workers', { 'worker-processes': '2' }, 'mtls-ingress'));
    const program = await startProgram(
      t,
      '--publish-status-address=192.0.2.50',
      '--configmap=mtls-ingress/workers',
      '--election-id=mtls-ingress-leader',
    );
    await says(program, leads);
    await has('a-test', { ip: '192.0.2.50' });
    t.equal((await get(program.httpsPort, 'a.test')).status, 200);
    const status = await (await fetch(`http://127.0.0.1:${program.adminPort}/status`)).text();
    t.match(status, /"workers":/, 'there are two');
    program.child.kill('SIGTERM');
    await once(program.child, 'exit');
    t.equal(program.logged(leads).length, 1);
    t.same(program.logged(follows), []);
    t.equal(program.child.exitCode, 0);
    t.same(await addressesOf('a-test'), []);
  });

  await t.test('a dry run writes nothing, and says what it would have written', async (t) => {
    const before = (await seen('a-test')).metadata.resourceVersion;
    const lease = async (): Promise<unknown> =>
      client.get(pathOf(leases, 'mtls-ingress', 'mtls-ingress-leader'));
    const leaseBefore = await lease();
    const controller = await startController(t, kubeconfig, {
      'publish-status-address': '192.0.2.30',
      'dry-run': true,
      'election-id': 'mtls-ingress-leader',
    });
    const told = (): readonly unknown[] => controller.logged('dry run: not written');
    await until('it says so', () => told().length === 2);
    t.match(told(), [
      { verb: 'patch', path: /\/ingresses\/[ab]-test\/status$/, body: /192\.0\.2\.30/ },
      { verb: 'patch', path: /\/ingresses\/[ab]-test\/status$/ },
    ]);
    t.equal((await get(controller.port, 'a.test')).status, 200);
    await controller.app.stop();
    t.equal((await seen('a-test')).metadata.resourceVersion, before);
    t.same(await lease(), leaseBefore);
  });

  await t.test('without the rights it says so, and serves', async (t) => {
    const user = await cluster.issueUser('reader');
    const bindings = async (...objects: readonly object[]): Promise<void> =>
      cluster.apply(...objects.map((object) => JSON.stringify(object)));
    const rbac = (kind: string, name: string, rest: object, namespace?: string): object => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind,
      metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
      ...rest,
    });
    const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'reader' }];
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' };
    const reading = {
      apiGroups: ['networking.k8s.io', '', 'discovery.k8s.io'],
      resources: ['*'],
      verbs: ['get', 'list', 'watch'],
    };
    await bindings(
      rbac('ClusterRole', 'reader', { rules: [reading] }),
      rbac('ClusterRoleBinding', 'reader', { roleRef, subjects }),
    );
    const flags = { 'publish-status-address': '192.0.2.40', 'election-id': 'reader' };
    const own = cluster.writeKubeconfig('reader', user);
    const controller = await startController(t, own, flags);
    const load = new Load(controller.port, 'a.test');
    t.teardown(() => load.stop());
    await until('it says that there is no Lease to be had', () =>
      controller.log.some(
        (line) =>
          /^the Lease cannot be had: .* requests are served all the same$/.test(String(line['message'])) &&
          /leases.* is forbidden: User "reader"/.test(String(line['detail'])),
      ),
    );
    t.equal(await holder('reader'), undefined);

    // With the Lease, but no status.
    await bindings(
      rbac('ClusterRole', 'reader', {
        rules: [reading, { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['*'] }],
      }),
    );
    await until(
      'it says that the status cannot be written',
      () =>
        controller.log.some(
          (line) =>
            line['message'] ===
              'the status of Ingresses cannot be written; requests are served all the same' &&
            /ingresses\/status|cannot patch/.test(String(line['detail'])),
        ),
      40_000,
    );
    t.same(await addressesOf('a-test'), []);
    const complaints = controller.log.filter((line) => /cannot be/.test(String(line['message'])));
    t.equal(complaints.length, 2, 'each is said once, not at every attempt');

    // And with both.
    await bindings(
      rbac('ClusterRole', 'reader', {
        rules: [
          reading,
          { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['*'] },
          { apiGroups: ['networking.k8s.io'], resources: ['ingresses/status'], verbs: ['patch'] },
        ],
      }),
    );
    await has('a-test', { ip: '192.0.2.40' });
    t.same(await load.stop(), []);
    t.ok(load.count > 50);
  });
});
