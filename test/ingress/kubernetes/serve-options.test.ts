import t from 'tap';
import { KubernetesSource } from '../../../src/ingress/kubernetes/kubernetes-source.ts';
import { readClusterFlags } from '../../../src/ingress/kubernetes/serve-options.ts';
import { sourceOf } from '../../../src/source-options.ts';
import { json, startFakeServer } from './fake-server.ts';

void t.test(
  "a cluster's flags are ingress-nginx's, and its rules for Ingresses without a class",
  async (t) => {
    t.match(readClusterFlags({ 'default-backend-service': 'shop/rest', zone: 'a' }), {
      namespace: null,
      namespaceSelector: null,
      service: 'shop/rest',
      translate: { watchWithoutClass: false, keepsCertificates: true, zone: 'a', ingressClass: 'nginx' },
    });
    t.match(readClusterFlags({ 'watch-ingress-without-class': true }), {
      translate: { watchWithoutClass: true },
    });
  },
);

void t.test(
  'a flag that makes no sense is told of, and so is one that goes with another source',
  async (t) => {
    for (const flags of [
      { resolve: ['a/b=127.0.0.1:80'] },
      { 'watch-namespace': 'a', 'watch-namespace-selector': 'b' },
      { 'watch-namespace': 'A/b' },
      { 'watch-namespace-selector': 'team=shop&x=y' },
      { 'https-port': 'x' },
    ]) {
      t.match(readClusterFlags(flags), { fault: /--/ }, JSON.stringify(flags));
    }
    t.match(sourceOf({}), /--kubernetes/);
    t.match(sourceOf({ kubernetes: true, config: 'x' }), /only one/);
    t.match(sourceOf({ config: 'x', zone: 'a' }), /--zone goes with --kubernetes/);
    t.match(sourceOf({ manifests: 'x', kubeconfig: 'a' }), /--kubeconfig goes with --kubernetes/);
    t.type(sourceOf({ kubernetes: true }), 'object');
  },
);

void t.test('who asks once is told that the cluster does not answer', async (t) => {
  const fake = await startFakeServer(t, (_, response) => json(response, { kind: 'Status', code: 503 }, 503));
  const options = readClusterFlags({});
  if ('fault' in options) throw new Error(options.fault);
  const source = new KubernetesSource({
    ...options,
    client: fake.client(),
    log: () => {},
    firstWithinMs: 5000,
  });
  t.teardown(() => source.close());
  const loaded = await source.load();
  t.match(loaded, { ok: false, problems: [/did not answer/, /503/] });
});
