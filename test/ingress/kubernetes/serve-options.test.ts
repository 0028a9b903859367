import t from 'tap';
import { Credentials } from '../../../src/ingress/kubernetes/credentials.ts';
import { KubernetesSource } from '../../../src/ingress/kubernetes/kubernetes-source.ts';
import { assembleSource, readClusterFlags } from '../../../src/ingress/kubernetes/serve-options.ts';
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

void t.test("flags about status are ingress-nginx's, and what makes no sense in them is told", async (t) => {
  const speaks = (flags: Parameters<typeof readClusterFlags>[0]) => readClusterFlags(flags);
  t.match(speaks({}), {
    publishedService: null,
    speaks: {
      electionId: 'mtls-ingress-leader',
      updatesStatus: true,
      clearsStatus: true,
      publishedAddresses: null,
      isDry: false,
    },
  });
  t.match(speaks({ 'publish-service': 'edge/proxy', 'election-id': 'x', 'dry-run': true }), {
    publishedService: 'edge/proxy',
    speaks: { electionId: 'x', isDry: true },
  });
  t.match(speaks({ 'publish-status-address': '192.0.2.1, 2001:db8::1,lb.example.com' }), {
    speaks: {
      publishedAddresses: [{ ip: '192.0.2.1' }, { ip: '2001:db8::1' }, { hostname: 'lb.example.com' }],
    },
  });
  t.match(
    speaks({
      'publish-service': 'edge/proxy',
      'update-status': 'false',
      'update-status-on-shutdown': 'false',
    }),
    { publishedService: null, speaks: { updatesStatus: false, clearsStatus: false } },
  );
  for (const flags of [
    { 'publish-service': 'edge/proxy', 'publish-status-address': '192.0.2.1' },
    { 'publish-service': 'proxy' },
    { 'publish-service': 'a/b/c' },
    { 'publish-service': '../b' },
    { 'publish-status-address': '' },
    { 'publish-status-address': '192.0.2.1,' },
    { 'publish-status-address': 'http://lb' },
    { 'publish-status-address': Array(101).fill('192.0.2.1').join() },
    { 'election-id': 'A/b' },
    { 'update-status': 'no' },
    { 'update-status-on-shutdown': '' },
  ])
    t.match(speaks(flags), { fault: /--/ }, JSON.stringify(flags).slice(0, 100));
});

void t.test(
  'who asks once has no flag to write by, and one who serves is told what is missing',
  async (t) => {
    const lines: string[] = [];
    const observability = {
      log: { program: (_level: string, message: string) => void lines.push(message) },
      metrics: { kubernetesFailing: () => {}, kubernetesFault: () => {} },
    } as unknown as Parameters<typeof assembleSource>[1]['observability'];
    const assemble = async (
      flags: Parameters<typeof readClusterFlags>[0],
      by: typeof observability,
    ): Promise<readonly string[]> => {
      lines.length = 0;
      const source = assembleSource(flags, { credentials: new Credentials(), observability: by });
      if (typeof source === 'string') throw new Error(source);
      await source.close();
      return [...lines];
    };
    t.match(await assemble({}, observability), [/give --publish-service or --publish-status-address/]);
    t.same(await assemble({ 'update-status': 'false' }, observability), []);
    t.same(await assemble({ 'publish-status-address': '192.0.2.1' }, observability), []);
    t.same(await assemble({}, null), []);
  },
);
