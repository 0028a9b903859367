import { join } from 'node:path';
import t, { type Test } from 'tap';
import { asController } from '../support/account.ts';
import { needsCluster, TestCluster } from '../support/cluster.ts';
import { get, startController, startNamed, until } from '../support/controller.ts';
import { account, applyRendered, deploy, flagsOf, overlay } from '../support/deployed.ts';
import { needsHelm, renderChart } from '../support/helm/render.ts';
import { ingress, secret, service, slice } from '../support/objects.ts';
import { ownAddress } from '../support/own-address.ts';
import { createAuthority } from '../support/pki.ts';
import { theOne, type Rendered } from '../support/rendered.ts';

const root = await createAuthority({ cn: 'Root A' });

/** Whether the account of the controller may do something. */
async function may(
  cluster: TestCluster,
  [verb, resource, namespace, name]: readonly [
    verb: string,
    resource: string,
    namespace?: string,
    name?: string,
  ],
): Promise<boolean> {
  const [path = '', group = ''] = resource.split('@');
  const [plural, subresource] = path.split('/');
  const answer = (await cluster.client().create('/apis/authorization.k8s.io/v1/subjectaccessreviews', {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: {
      user: account,
      groups: ['system:serviceaccounts', 'system:serviceaccounts:mtls-ingress', 'system:authenticated'],
      resourceAttributes: { verb, group, resource: plural, subresource, namespace, name },
    },
  })) as { readonly status: { readonly allowed: boolean } };
  return answer.status.allowed;
}

async function serves(
  t: Test,
  cluster: TestCluster,
  objects: readonly Rendered[],
  host: string,
): Promise<void> {
  const address = ownAddress(t);
  const port = await startNamed(t, host, address);
  const name = host.replace('.', '-');
  const { bundle, key } = await root.issue({ cn: host, hosts: [host], usage: 'server' });
  await cluster.apply(
    secret(`${name}-tls`, { 'tls.crt': bundle, 'tls.key': key }),
    service(name),
    slice(`${name}-1`, name, port, [address]),
    ingress({ host, service: name, tls: `${name}-tls` }),
  );
  const controller = await startController(t, await asController(cluster), flagsOf(objects));
  await until('it answers', async () => (await get(controller.port, host)).status === 200);
  t.match(await get(controller.port, host), { status: 200, body: host, server: host });
  t.same(controller.source.health, { failing: 0, faults: [] }, 'no right is missing');
}

void t.test('what is rendered, at a real API server', needsCluster(), async (t) => {
  const cluster = await TestCluster.start(t);

  await t.test('the server takes every object, from kustomize and from the chart', async (t) => {
    await cluster.kubectl(['create', 'namespace', 'shop']);
    for (const name of ['host-network', 'sidecar', 'edge']) await applyRendered(cluster, overlay(name));
    if (needsHelm().skip === false)
      await applyRendered(cluster, renderChart(join(deploy, 'helm', 'mtls-ingress')));
    const deployment = await cluster.kubectl(['get', 'deployment', '-n', 'mtls-ingress', '-o', 'name']);
    t.equal(deployment.trim(), 'deployment.apps/mtls-ingress');
    // No Pod runs here that could answer it: test/long/kubernetes-webhook.long.ts has one.
    await cluster.kubectl(['delete', 'validatingwebhookconfiguration', 'mtls-ingress']);
  });

  await t.test('the controller serves with exactly these rights and arguments', async (t) => {
    await serves(t, cluster, overlay('edge'), 'edge.test');
  });

  await t.test('it may do what it has to, and nothing else', async (t) => {
    const table: readonly (readonly [allowed: boolean, ...Parameters<typeof may>[1]])[] = [
      [true, 'watch', 'ingresses@networking.k8s.io'],
      [true, 'list', 'secrets', 'default'],
      [true, 'patch', 'ingresses/status@networking.k8s.io', 'default'],
      [true, 'create', 'events', 'default'],
      [true, 'create', 'leases@coordination.k8s.io', 'mtls-ingress'],
      [true, 'update', 'leases@coordination.k8s.io', 'mtls-ingress', 'mtls-ingress-leader'],
      [false, 'update', 'leases@coordination.k8s.io', 'mtls-ingress', 'another'],
      [false, 'create', 'leases@coordination.k8s.io', 'kube-system'],
      [false, 'patch', 'ingresses@networking.k8s.io', 'default'],
      [false, 'delete', 'ingresses@networking.k8s.io', 'default'],
      [true, 'create', 'secrets', 'mtls-ingress'],
      [true, 'update', 'secrets', 'mtls-ingress', 'mtls-ingress-webhook'],
      [false, 'update', 'secrets', 'mtls-ingress', 'mtls-ingress-metrics'],
      [false, 'delete', 'secrets', 'mtls-ingress', 'mtls-ingress-webhook'],
      [false, 'create', 'secrets', 'default'],
      [true, 'patch', 'validatingwebhookconfigurations@admissionregistration.k8s.io', '', 'mtls-ingress'],
      [false, 'patch', 'validatingwebhookconfigurations@admissionregistration.k8s.io', '', 'another'],
      [false, 'create', 'validatingwebhookconfigurations@admissionregistration.k8s.io'],
      [false, 'update', 'configmaps', 'mtls-ingress'],
      [false, 'list', 'namespaces'],
      [false, 'list', 'pods', 'mtls-ingress'],
      [false, 'list', 'nodes'],
      [false, 'create', 'pods/exec', 'default'],
      [false, 'impersonate', 'users'],
      [false, 'escalate', 'clusterroles@rbac.authorization.k8s.io'],
    ];
    for (const [allowed, ...what] of table) t.equal(await may(cluster, what), allowed, what.join(' '));
  });

  await t.test('a selector of namespaces brings the right that it needs', needsHelm(), async (t) => {
    const objects = renderChart(join(deploy, 'helm', 'mtls-ingress'), {
      watchNamespaceSelector: 'served=yes',
    });
    await cluster.kubectl(['label', 'namespace', 'default', 'served=yes']);
    await applyRendered(cluster, [theOne(objects, 'ClusterRole')]);
    await serves(t, cluster, objects, 'chosen.test');
    t.ok(await may(cluster, ['list', 'namespaces']));
  });
});
