import { once } from 'node:events';
import t, { type Test } from 'tap';
import type { ApiClient, Query, WatchOptions } from '../../../src/ingress/kubernetes/api-client.ts';
import { ApiError } from '../../../src/ingress/kubernetes/api-error.ts';
import { Cluster, type ClusterScope } from '../../../src/ingress/kubernetes/cluster.ts';
import { Health } from '../../../src/ingress/kubernetes/health.ts';
import { ingress, type Manifest, secret } from '../../support/objects.ts';
import { until } from '../../support/controller.ts';

/** What is asked for: a path with its selector. */
const askedOf = (path: string, { labelSelector, fieldSelector }: Query): string =>
  [path, labelSelector, fieldSelector].filter((part) => part !== undefined).join(' ');

/** An API server that has these objects, and notes what of it is watched now. */
function start(
  t: Test,
  scope: Partial<ClusterScope> = {},
  objects: Readonly<Record<string, Manifest[]>> = {},
) {
  const watched = new Set<string>();
  const versions = ['networking.k8s.io/v1', 'discovery.k8s.io/v1'];
  const plurals = ['ingresses', 'ingressclasses', 'endpointslices'];
  const client: Pick<ApiClient, 'get' | 'list' | 'watch'> = {
    get: async (path) => {
      if (!versions.some((version) => path.endsWith(version))) throw new ApiError(404, 'NotFound', 'none');
      return { resources: plurals.map((name) => ({ name })) };
    },
    list: async (path) => ({
      items: (objects[path] ?? []).map((one) => ({
        ...one,
        metadata: { ...one.metadata, resourceVersion: '1' },
      })),
      resourceVersion: '1',
    }),
    watch: async (path, query, { signal, onOpen }: WatchOptions) => {
      const asked = askedOf(path, query);
      watched.add(asked);
      onOpen?.();
      if (!signal.aborted) await once(signal, 'abort');
      watched.delete(asked);
      throw new ApiError(0, 'Aborted', 'aborted');
    },
  };
  const cluster = new Cluster({
    client: client as ApiClient,
    health: new Health(() => {}),
    onChange: () => {},
    namespace: null,
    namespaceSelector: null,
    service: null,
    publishedService: null,
    ...scope,
  });
  t.teardown(() => cluster.close());
  const watches = (...expected: readonly string[]): Promise<void> =>
    until(`${expected.join(', ')} of ${[...watched].join(', ')}`, () => {
      return watched.size === expected.length && expected.every((one) => watched.has(one));
    });
  return { cluster, watches };
}

const classes = '/apis/networking.k8s.io/v1/ingressclasses';
const whole = [
  classes,
  '/apis/networking.k8s.io/v1/ingresses',
  '/api/v1/services',
  '/apis/discovery.k8s.io/v1/endpointslices',
];
const inShop = [
  classes,
  '/apis/networking.k8s.io/v1/namespaces/shop/ingresses',
  '/api/v1/namespaces/shop/services',
  '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices',
];

void t.test(
  'of Secrets and ConfigMaps only those are asked for that are named, and only as long',
  async (t) => {
    const { cluster, watches } = start(t);
    await cluster.settled();
    await watches(...whole);
    const none = new Set<string>();
    const tls = '/api/v1/namespaces/shop/secrets metadata.name=tls';
    const ca = '/api/v1/namespaces/other/secrets metadata.name=ca';
    const settings = '/api/v1/namespaces/shop/configmaps metadata.name=settings';
    await cluster.refer({ secrets: new Set(['shop/tls', 'other/ca']), configMaps: none });
    await watches(...whole, tls, ca);
    t.ok(cluster.hasAsked('Secret', 'shop/tls'));
    t.equal(cluster.refer({ secrets: new Set(['shop/tls', 'other/ca']), configMaps: none }), null);
    await cluster.refer({ secrets: new Set(['shop/tls']), configMaps: new Set(['shop/settings']) });
    await watches(...whole, tls, settings);
    t.notOk(cluster.hasAsked('Secret', 'other/ca'));
    // A name with a slash too many, or none, is nobody's.
    t.equal(cluster.refer({ secrets: new Set(['shop', '']), configMaps: none }), null);
    await watches(...whole);
    cluster.close();
    await watches();
  },
);

void t.test('a namespace is all that is asked for, with the default backend where it is', async (t) => {
  const one = start(t, { namespace: 'shop' });
  await one.cluster.settled();
  await one.watches(...inShop);
  t.ok(one.cluster.looksAt('shop'));
  t.notOk(one.cluster.looksAt('other'));
  const other = start(t, { namespace: 'shop', service: 'web/fallback' });
  await other.cluster.settled();
  await other.watches(
    ...inShop,
    '/api/v1/namespaces/web/services metadata.name=fallback',
    '/apis/discovery.k8s.io/v1/namespaces/web/endpointslices kubernetes.io/service-name=fallback',
  );
});

void t.test('namespaces are chosen by their labels, at the server', async (t) => {
  const inNamespace = (namespace: string): Manifest => ingress({ host: `${namespace}.test`, namespace });
  const { cluster, watches } = start(
    t,
    { namespaceSelector: 'team=shop' },
    {
      '/apis/networking.k8s.io/v1/ingresses': [inNamespace('shop'), inNamespace('other')],
      '/api/v1/namespaces': [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } }],
      '/api/v1/namespaces/other/secrets': [secret('ca', {}, 'other')],
    },
  );
  await cluster.settled();
  await watches(...whole, '/api/v1/namespaces team=shop');
  t.same(
    cluster.objects().map(({ namespace }) => namespace),
    ['shop'],
  );
  await cluster.refer({ secrets: new Set(['other/ca']), configMaps: new Set() });
  t.same(
    cluster.objects().map(({ kind, namespace }) => `${kind} ${namespace}`),
    ['Ingress shop', 'Secret other'],
    'who names a Secret elsewhere was looked at for that',
  );
});
