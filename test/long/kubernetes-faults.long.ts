import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { fileText, needsCluster, TestCluster } from '../support/cluster.ts';
import { type Controller, get, Load, startController, startNamed, until } from '../support/controller.ts';
import { freePort } from '../support/free-port.ts';
import { ingress, ingressClass, type Manifest, secret, service, slice } from '../support/objects.ts';
import { ownAddress } from '../support/own-address.ts';
import { createAuthority } from '../support/pki.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

const root = await createAuthority({ cn: 'Root A' });
const { bundle, key } = await root.issue({
  cn: 'server',
  hosts: ['a.test', 'gone.test', 'closed.test'],
  usage: 'server',
});
const pair = { 'tls.crt': bundle, 'tls.key': key };

void t.test('a controller whose API server fails it', { ...needsCluster(), timeout: 200_000 }, async (t) => {
  const cluster = await TestCluster.start(t);
  const address = ownAddress(t);
  const ports = { one: await startNamed(t, 'one', address), two: await startNamed(t, 'two', address) };
  const endpointsOf = (to: keyof typeof ports): Manifest => slice('web-1', 'web', ports[to], [address]);
  const client = await cluster.issueUser('controller');
  // The rights that it is deployed with, and no others.
  await cluster.apply(fileText('deploy', 'kubernetes', 'base', 'cluster-role.yaml').split('---')[0]!);
  await cluster.put(
    ingressClass(),
    service(),
    endpointsOf('one'),
    secret('pair', pair),
    ingress({ host: 'a.test', tls: 'pair' }),
    bindingOf('controller', 'mtls-ingress'),
  );

  /** A controller behind a proxy, with requests under way all along. */
  const setUp = async (t: Test) => {
    await cluster.put(endpointsOf('one'));
    const proxy = await TcpProxy.start(t, cluster.port);
    const kubeconfig = cluster.writeKubeconfig('controller', client, `https://127.0.0.1:${proxy.port}`);
    const controller = await startController(t, kubeconfig);
    t.match(await get(controller.port, 'a.test'), { status: 200, body: 'one', server: 'server' });
    const load = new Load(controller.port, 'a.test');
    t.teardown(() => load.stop());
    return { proxy, controller, load };
  };
  const leadsTo = (controller: Controller, name: string): Promise<void> =>
    until(`requests go to ${name}`, async () => (await get(controller.port, 'a.test')).body === name);
  const failing = (controller: Controller): Promise<void> =>
    until('it says so', () => controller.source.health.failing > 0);

  await t.test(
    'before the first whole state is there nobody is served, and nothing says ready',
    async (t) => {
      await cluster.put(endpointsOf('one'));
      const proxy = await TcpProxy.start(t, cluster.port);
      proxy.stall();
      const kubeconfig = cluster.writeKubeconfig('controller', client, `https://127.0.0.1:${proxy.port}`);
      // Asked before they are listened on, so the system cannot pick them.
      const [https, admin] = [await freePort(), await freePort()];
      const ready = async (): Promise<number> => (await fetch(`http://127.0.0.1:${admin}/readyz`)).status;
      const starting = startController(t, kubeconfig, {
        'https-port': String(https),
        'admin-port': String(admin),
      });
      await until('it asks the API server', () => proxy.open > 0);
      await t.rejects(get(https, 'a.test'), { code: 'ECONNREFUSED' });
      await t.rejects(ready(), { cause: { code: 'ECONNREFUSED' } });
      proxy.pass();
      const controller = await starting;
      t.equal(await ready(), 200);
      t.match(
        await get(controller.port, 'a.test'),
        { status: 200, body: 'one' },
        'from the first request on',
      );
    },
  );

  await t.test('killed and started again, it is served from, and what changed then counts', async (t) => {
    const { controller, load } = await setUp(t);
    await cluster.killServer();
    await failing(controller);
    t.match(controller.logged('watches of the Kubernetes API fail: what is known stays'), [{}]);
    t.equal((await get(controller.port, 'a.test')).status, 200);
    await cluster.startServer();
    await cluster.put(endpointsOf('two'));
    await leadsTo(controller, 'two');
    await until('all is watched again', () => controller.source.health.failing === 0);
    t.same(await load.stop(), []);
  });

  await t.test('versions that etcd has thrown away are listed anew, deletions among them', async (t) => {
    await cluster.put(ingress({ host: 'gone.test' }));
    const { proxy, controller, load } = await setUp(t);
    t.equal((await get(controller.port, 'gone.test')).status, 200);
    proxy.refuse();
    await failing(controller);
    await cluster.remove(ingress({ host: 'gone.test' }));
    await cluster.put(endpointsOf('two'));
    // Kept in the server's own memory until it starts again.
    await cluster.compact();
    await cluster.killServer();
    await cluster.startServer();
    proxy.pass();
    await leadsTo(controller, 'two');
    await until('it is gone', async () => (await get(controller.port, 'gone.test')).status === 404);
    const metrics = await (await fetch(`http://127.0.0.1:${controller.admin}/metrics`)).text();
    t.match(metrics, /^mtls_kubernetes_faults_total\{reason="expired"\} [1-9]/m, 'the server said 410');
    t.same(await load.stop(), []);
  });

  await t.test('a network that goes silent is noticed, and left for a new connection', async (t) => {
    const { proxy, controller, load } = await setUp(t);
    proxy.stall();
    await cluster.put(endpointsOf('two'));
    await failing(controller);
    t.equal((await get(controller.port, 'a.test')).body, 'one', 'nothing has come through');
    proxy.pass();
    await leadsTo(controller, 'two');
    t.same(await load.stop(), []);
  });

  await t.test('connections that are reset or cut in the middle cost nothing', async (t) => {
    const { proxy, controller, load } = await setUp(t);
    for (const [cut, name] of [
      [() => proxy.reset(), 'two'],
      [() => proxy.truncate(100), 'one'],
      [() => proxy.truncate(1), 'two'],
      [() => proxy.reset(), 'one'],
    ] as const) {
      cut();
      await cluster.put(endpointsOf(name));
      await leadsTo(controller, name);
    }
    t.same(await load.stop(), []);
  });

  await t.test('a token that has run out is refused until its file has the next, of a Pod', async (t) => {
    await cluster.put(endpointsOf('one'));
    await cluster.kubectl(['create', 'serviceaccount', 'controller']);
    const uid = await cluster.kubectl([
      'get',
      'serviceaccount',
      'controller',
      '-o',
      'jsonpath={.metadata.uid}',
    ]);
    const home = t.testdir({});
    const folder = join(home, 'var', 'run', 'secrets', 'kubernetes.io', 'serviceaccount');
    mkdirSync(folder, { recursive: true });
    const write = (seconds: number): void =>
      writeFileSync(join(folder, 'token'), `${cluster.token('default', 'controller', uid, seconds)}\n`);
    writeFileSync(join(folder, 'ca.crt'), cluster.ca);
    writeFileSync(join(folder, 'namespace'), 'default');
    // The server allows clocks to differ by a minute.
    write(-57);
    const proxy = await TcpProxy.start(t, cluster.port);
    process.env['KUBERNETES_SERVICE_HOST'] = '127.0.0.1';
    process.env['KUBERNETES_SERVICE_PORT'] = String(proxy.port);
    t.teardown(() => {
      delete process.env['KUBERNETES_SERVICE_HOST'];
      delete process.env['KUBERNETES_SERVICE_PORT'];
    });
    const controller = await startController(t, { root: home });
    const load = new Load(controller.port, 'a.test');
    t.teardown(() => load.stop());
    // Whoever comes back now comes with a token of before.
    const refused = (): boolean =>
      controller.source.health.faults.some((fault) => /unauthorized/i.test(fault));
    await until(
      'it is refused',
      () => {
        if (controller.source.health.failing === 0) proxy.reset();
        return refused();
      },
      30_000,
    );
    t.equal((await get(controller.port, 'a.test')).status, 200);
    write(600);
    await cluster.put(endpointsOf('two'));
    await leadsTo(controller, 'two');
    t.same(await load.stop(), []);
  });

  await t.test('rights that are too small cost what they are about, and are told of', async (t) => {
    const user = await cluster.issueUser('poor');
    await cluster.put(endpointsOf('one'), poor([]), bindingOf('poor', 'poor'));
    const annotations = { 'auth-tls-secret': 'default/pair' };
    await cluster.put(ingress({ host: 'closed.test', annotations }));
    const controller = await startController(t, cluster.writeKubeconfig('poor', user));
    t.match(await get(controller.port, 'a.test'), {
      status: 200,
      server: 'mtls-ingress default certificate',
    });
    t.equal(
      (await get(controller.port, 'closed.test')).status,
      403,
      'a CA that cannot be read lets nobody in',
    );
    t.match(controller.source.health.faults.join('\n'), /Secret default\/pair: secrets .*forbidden/);
    await cluster.put(poor(['secrets']));
    await until('it is read', async () => (await get(controller.port, 'a.test')).server === 'server');
    await cluster.remove(ingress({ host: 'closed.test' }));
  });

  await t.test('rights in one namespace are enough to look after it', async (t) => {
    const user = await cluster.issueUser('local');
    const kubeconfig = cluster.writeKubeconfig('local', user);
    const metadata = { name: 'local', namespace: 'default' };
    const { rules } = poor(['secrets']);
    const roleRef = { apiGroup, kind: 'Role', name: 'local' };
    const subjects = [{ kind: 'User', apiGroup, name: 'local' }];
    await cluster.put(
      endpointsOf('one'),
      { apiVersion: `${apiGroup}/v1`, kind: 'Role', metadata, rules },
      { apiVersion: `${apiGroup}/v1`, kind: 'RoleBinding', metadata, roleRef, subjects },
    );
    const controller = await startController(t, kubeconfig, { 'watch-namespace': 'default' });
    t.match(await get(controller.port, 'a.test'), { status: 200, server: 'server' });
    await cluster.put(endpointsOf('two'));
    await leadsTo(controller, 'two');
    t.match(controller.logged('done without what may not be read of the Kubernetes API'), [
      { watch: 'IngressClass' },
    ]);
    // The ConfigMap of the whole is in another namespace, which is told of.
    t.match(controller.source.health.faults, [/^ConfigMap ingress-nginx\/ingress-nginx-controller: /]);
  });
});

const apiGroup = 'rbac.authorization.k8s.io';

/** A user and a service account of this name have a role. */
function bindingOf(name: string, role: string): Manifest {
  return {
    apiVersion: `${apiGroup}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup, kind: 'ClusterRole', name: role },
    subjects: [
      { kind: 'User', apiGroup, name },
      { kind: 'ServiceAccount', namespace: 'default', name },
    ],
  };
}

/** A role without Secrets, but for what is given. */
function poor(more: readonly string[]): Manifest {
  const rule = (group: string, ...resources: readonly string[]): object => ({
    apiGroups: [group],
    resources,
    verbs: ['list', 'watch'],
  });
  return {
    apiVersion: `${apiGroup}/v1`,
    kind: 'ClusterRole',
    metadata: { name: 'poor' },
    rules: [
      rule('', 'services', 'endpoints', 'configmaps', ...more),
      rule('networking.k8s.io', 'ingresses', 'ingressclasses'),
      rule('discovery.k8s.io', 'endpointslices'),
    ],
  };
}
