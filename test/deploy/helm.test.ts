import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import t from 'tap';
import { parse } from 'yaml';
import { readClusterFlags } from '../../src/ingress/kubernetes/serve-options.ts';
import { sourceFlags } from '../../src/source-options.ts';
import { needsHelm, renderChart, type Values } from '../support/helm/render.ts';
import { kustomize, kustomizeWith, ourContainer, podOf, theOne, type Rendered } from '../support/rendered.ts';
import { faultsOf } from '../support/rendered-rules.ts';

const deploy = join(import.meta.dirname, '..', '..', 'deploy');
const chart = join(deploy, 'helm', 'mtls-ingress');
const options = { timeout: 110_000, ...needsHelm() };

/** Objects by kind and name, whatever order they came in. */
function byKey(objects: readonly Rendered[]): Readonly<Record<string, Rendered>> {
  return Object.fromEntries(objects.map((object) => [`${object.kind} ${object.metadata.name}`, object]));
}

void t.test('the chart renders what kustomize does, object by object', options, (t) => {
  const edge = { service: { type: 'LoadBalancer', externalTrafficPolicy: 'Local' } };
  const monitored = kustomizeWith(t.testdir({}), join(deploy, 'kubernetes', 'base'), [
    join(deploy, 'kubernetes', 'components', 'service-monitor'),
  ]);
  const plain = kustomizeWith(t.testdir({}), join(deploy, 'kubernetes', 'base'), [
    join(deploy, 'kubernetes', 'components', 'without-webhook'),
  ]);
  const pairs: readonly (readonly [name: string, objects: readonly Rendered[], values: Values])[] = [
    ['with a ServiceMonitor', monitored, { metrics: { serviceMonitor: true } }],
    ['without the webhook', plain, { webhook: { enabled: false } }],
    ['base', kustomize(join(deploy, 'kubernetes', 'base')), {}],
    ['edge', kustomize(join(deploy, 'kubernetes', 'overlays', 'edge')), edge],
    [
      'host network',
      kustomize(join(deploy, 'kubernetes', 'overlays', 'host-network')),
      { hostNetwork: true },
    ],
  ];
  for (const [name, objects, values] of pairs) {
    const rendered = byKey(renderChart(chart, values));
    // Helm makes the namespace itself (--create-namespace).
    const { ['Namespace mtls-ingress']: _namespace, ...wanted } = byKey(objects);
    t.same(Object.keys(rendered).sort(), Object.keys(wanted).sort(), name);
    for (const [key, object] of Object.entries(wanted))
      t.strictSame(rendered[key], object, `${name}: ${key}`);
  }
  t.end();
});

void t.test('chart, manifests and package are of one version', (t) => {
  const read = (...path: readonly string[]): string => readFileSync(join(deploy, ...path), 'utf8');
  const { version } = JSON.parse(read('..', 'package.json')) as { version: string };
  t.match(parse(read('helm', 'mtls-ingress', 'Chart.yaml')), { version, appVersion: version });
  t.match(parse(read('helm', 'mtls-ingress', 'values.yaml')), { image: { tag: version } });
  for (const folder of ['base', 'overlays/sidecar']) {
    const { images } = parse(read('kubernetes', folder, 'kustomization.yaml')) as {
      images: readonly object[];
    };
    t.same(images, [{ name: 'mtls-ingress', newTag: version }], folder);
  }
  t.end();
});

void t.test('without the webhook there is nothing of it left', options, (t) => {
  const objects = renderChart(chart, { webhook: { enabled: false } });
  t.same(faultsOf(objects), []);
  t.notMatch(JSON.stringify(objects), /webhook/i);
  t.match(
    theOne(renderChart(chart, { webhook: { failurePolicy: 'Ignore' } }), 'ValidatingWebhookConfiguration'),
    {
      webhooks: [{ failurePolicy: 'Ignore', timeoutSeconds: 10 }],
    },
  );
  t.end();
});

void t.test('values keep the rules, and are data wherever they stand', options, (t) => {
  const hostile = `x"\n- --admin-address=0.0.0.0 # {{ .Values }}`;
  const objects = renderChart(chart, {
    image: { repository: 'registry.example/mtls-ingress', tag: '1.2.3', pullPolicy: 'Always' },
    ingressClass: { name: 'outer', controller: 'example.com/outer', default: true },
    config: { 'ssl-protocols': 'TLSv1.3', 'proxy-body-size': hostile },
    watchNamespaceSelector: 'team in (shop, web)',
    extraArgs: ['--ingress-nginx-metrics', '--allow-cross-namespace-secrets'],
    service: { annotations: { 'example.com/note': hostile } },
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    tolerations: [{ key: 'edge', operator: 'Exists' }],
  });
  t.same(faultsOf(objects), []);
  const { args = [], image, imagePullPolicy } = ourContainer(objects);
  t.same([image, imagePullPolicy], ['registry.example/mtls-ingress:1.2.3', 'Always']);
  const { values } = parseArgs({
    args: args.slice(1).map((arg) => arg.replace('$(POD_NAMESPACE)', 'mtls-ingress')),
    options: sourceFlags,
  });
  t.match(readClusterFlags(values), {
    namespaceSelector: 'team in (shop, web)',
    translate: {
      ingressClass: 'outer',
      controllerClass: 'example.com/outer',
      allowCrossNamespaceSecrets: true,
      base: { metrics: { ingressNginxNames: true } },
    },
  });
  t.match(theOne(objects, 'IngressClass'), {
    metadata: { name: 'outer', annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
  });
  t.match(JSON.stringify(theOne(objects, 'ClusterRole')['rules']), /namespaces/);
  t.strictSame(theOne(objects, 'ConfigMap')['data'], {
    'ssl-protocols': 'TLSv1.3',
    'proxy-body-size': hostile,
  });
  t.match(theOne(objects, 'Service', 'mtls-ingress').metadata, {
    annotations: { 'example.com/note': hostile },
  });
  t.match(podOf(theOne(objects, 'Deployment')).spec, {
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    tolerations: [{ key: 'edge', operator: 'Exists' }],
  });
  t.throws(() => renderChart(chart, { autoscaling: { cpu: ': {' } }), 'what is no YAML is told');
  t.end();
});
