import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import t from 'tap';
import { parse } from 'yaml';
import type { Config } from '../../src/config/schema.ts';
import { readClusterFlags } from '../../src/ingress/kubernetes/serve-options.ts';
import { readWebhookFlags } from '../../src/ingress/kubernetes/webhook/flags.ts';
import { secretName } from '../../src/ingress/kubernetes/webhook/webhook.ts';
import { sourceFlags } from '../../src/source-options.ts';
import { request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { cleanNode, needs } from '../support/program.ts';
import { startBackend, startProxy } from '../support/proxy.ts';
import { kustomize, kustomizeWith, ourContainer, podOf, theOne, type Rendered } from '../support/rendered.ts';
import { faultsOf } from '../support/rendered-rules.ts';

const root = join(import.meta.dirname, '..', '..');
const folder = join(root, 'deploy', 'kubernetes');
const kubectl = needs('kubectl', 'version', '--client');

/** What the controller is told, `$(NAME)` filled in as the kubelet does. */
function argumentsOf(objects: readonly Rendered[]): readonly string[] {
  return (ourContainer(objects).args ?? []).map((arg) => arg.replaceAll('$(POD_NAMESPACE)', 'mtls-ingress'));
}

void t.test('what kustomize renders keeps the rules', kubectl, (t) => {
  for (const name of ['base', 'overlays/edge', 'overlays/host-network', 'overlays/sidecar']) {
    const objects = kustomize(join(folder, name));
    t.ok(objects.length >= 5, `${name}: ${objects.length} objects`);
    t.same(faultsOf(objects), [], name);
  }
  t.end();
});

void t.test('the rules find what breaks them', kubectl, (t) => {
  const base = kustomize(join(folder, 'base'));
  /** Each a change to the rendered text, and the fault that has to be told of it. */
  const breaks: readonly (readonly [from: string, to: string, fault: string])[] = [
    ['"runAsNonRoot":true', '"runAsNonRoot":false', 'may run as root'],
    ['"runAsUser":65532', '"runAsUser":0', 'runs as root'],
    ['"RuntimeDefault"', '"Unconfined"', 'has no seccomp profile'],
    ['"allowPrivilegeEscalation":false', '"allowPrivilegeEscalation":true', 'may gain privileges'],
    ['"readOnlyRootFilesystem":true', '"readOnlyRootFilesystem":false', 'may write its own file system'],
    ['"drop":["ALL"]', '"drop":["ALL"],"add":["SYS_ADMIN"]', 'has capabilities'],
    ['"resources":["secrets","configmaps"]', '"resources":["*"]', 'asks for /*'],
    [
      '"resources":["ingresses/status"],"verbs":["patch"]',
      '"resources":["ingresses/status"],"verbs":["*"]',
      'asks to * ingresses/status',
    ],
    ['"resourceNames":["mtls-ingress-leader"],', '', 'asks for the Leases of others'],
    ['"containerPort":8443', '"containerPort":443', 'port 443 wants a capability'],
    [
      '"resourceNames":["mtls-ingress"],"resources":["validating',
      '"resources":["validating',
      'asks for the webhooks of others',
    ],
    ['"resourceNames":["mtls-ingress-webhook"],', '', 'asks for the secrets of others'],
    [
      '"name":"mtls-ingress-webhook","namespace":"mtls-ingress","port":443',
      '"name":"w","namespace":"mtls-ingress","port":443',
      'leads to no Service',
    ],
    ['"sideEffects":"None"', '"sideEffects":"Some"', 'has side effects'],
    [
      '"resources":["ingresses"],"scope"',
      '"resources":["ingresses","pods"],"scope"',
      'judges more than Ingresses',
    ],
    ['--validating-webhook=:8444', '--validating-webhook=:8445', 'nobody listens'],
    ['--https-port=8443', '--https-port=9443', '--https-port=9443 is not its port'],
    ['--admin-address=0.0.0.0', '--admin-address=127.0.0.1', 'livenessProbe does not get to 127.0.0.1'],
    ['"path":"/readyz"', '"path":"/"', 'readinessProbe does not ask /readyz'],
    ['"image":"mtls-ingress:0.1.0"', '"image":"mtls-ingress:latest"', 'runs whatever mtls-ingress:latest is'],
    ['"targetPort":"http"', '"targetPort":"web"', 'http leads to no port of the Pod'],
    ['"serviceAccountName":"mtls-ingress"', '"serviceAccountName":"default"', 'has no account of its own'],
  ];
  const text = JSON.stringify(base);
  for (const [from, to, fault] of breaks) {
    t.ok(text.includes(from), from);
    const faults = faultsOf(JSON.parse(text.replaceAll(from, to)) as Rendered[]);
    t.ok(
      faults.some((one) => one.includes(fault)),
      `${fault}: ${faults.join('; ')}`,
    );
  }
  t.end();
});

void t.test('the controller takes the arguments that it is given, and finds what they name', kubectl, (t) => {
  for (const name of ['base', 'overlays/edge', 'overlays/host-network']) {
    const objects = kustomize(join(folder, name));
    const [command, ...args] = argumentsOf(objects);
    t.equal(command, 'serve');
    const { values } = parseArgs({ args, options: sourceFlags });
    const options = readClusterFlags(values);
    if ('fault' in options) throw new Error(options.fault);
    const { translate } = options;
    const ingressClass = theOne(objects, 'IngressClass');
    t.equal(ingressClass.metadata.name, translate.ingressClass);
    t.equal((ingressClass['spec'] as { controller: string }).controller, translate.controllerClass);
    const configMap = theOne(objects, 'ConfigMap');
    t.equal(`${configMap.metadata.namespace}/${configMap.metadata.name}`, translate.configMap);
    const { publishedService, speaks } = options;
    const service = theOne(objects, 'Service', 'mtls-ingress').metadata;
    // Clients come by the nodes where there is no Service in front of them.
    t.equal(
      publishedService,
      name === 'overlays/host-network' ? null : `${service.namespace}/${service.name}`,
    );
    const { rules } = theOne(objects, 'Role') as unknown as {
      rules: readonly { resourceNames?: readonly string[] }[];
    };
    t.same(
      rules.flatMap(({ resourceNames = [] }) => resourceNames),
      [speaks.electionId, secretName],
    );
    const webhook = readWebhookFlags(values, { POD_NAMESPACE: 'mtls-ingress' });
    if (webhook === null || 'fault' in webhook) throw new Error(webhook?.fault ?? 'no webhook');
    const registration = theOne(objects, 'ValidatingWebhookConfiguration');
    t.equal(registration.metadata.name, webhook.registration);
    t.match(registration['webhooks'], [{ clientConfig: { service: { ...webhook.service } } }]);
  }
  t.end();
});

void t.test('edge is reached by a load balancer that leaves addresses as they are', kubectl, (t) => {
  const { spec } = theOne(kustomize(join(folder, 'overlays', 'edge')), 'Service', 'mtls-ingress');
  t.match(spec, {
    type: 'LoadBalancer',
    externalTrafficPolicy: 'Local',
    ports: [
      { port: 443, targetPort: 'https' },
      { port: 80, targetPort: 'http' },
    ],
  });
  t.end();
});

void t.test('on the network of the node the admin listener is on loopback', kubectl, (t) => {
  const objects = kustomize(join(folder, 'overlays', 'host-network'));
  const pod = podOf(theOne(objects, 'Deployment'));
  t.match(pod.spec, { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' });
  t.same(
    argumentsOf(objects).filter((arg) => arg.startsWith('--admin-address')),
    ['--admin-address=127.0.0.1'],
  );
  t.end();
});

void t.test(
  'a selector of namespaces comes with the right to read them, and nothing else does',
  kubectl,
  (t) => {
    const rights = (objects: readonly Rendered[]): string =>
      JSON.stringify(theOne(objects, 'ClusterRole')['rules']);
    t.notMatch(rights(kustomize(join(folder, 'base'))), /namespaces/);
    const components = [join(folder, 'components', 'namespace-selector')];
    const objects = kustomizeWith(t.testdir({}), join(folder, 'base'), components);
    t.same(faultsOf(objects), []);
    t.match(rights(objects), /namespaces/);
    const [, ...args] = argumentsOf(objects);
    t.match(readClusterFlags(parseArgs({ args, options: sourceFlags }).values), {
      namespaceSelector: 'mtls-ingress=watched',
    });
    t.end();
  },
);

void t.test('for Prometheus there is a token, a Service of its own, and TLS', kubectl, (t) => {
  const components = [join(folder, 'components', 'service-monitor')];
  const objects = kustomizeWith(t.testdir({}), join(folder, 'overlays', 'edge'), components);
  t.same(faultsOf(objects), []);
  const { volumeMounts = [], ...container } = ourContainer(objects);
  const flag = argumentsOf(objects).find((arg) => arg.startsWith('--admin-tokens='));
  t.equal(flag, `--admin-tokens=${volumeMounts[0]?.mountPath}/token`);
  for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
    t.match(container, { [probe]: { httpGet: { scheme: 'HTTPS' } } });
  const outside = theOne(objects, 'Service', 'mtls-ingress')['spec'] as {
    ports: readonly { targetPort: string }[];
  };
  t.notOk(
    outside.ports.some(({ targetPort }) => targetPort === 'admin'),
    'no way from outside leads there',
  );
  const { metadata, spec } = theOne(objects, 'Service', 'mtls-ingress-metrics');
  t.match(spec, { clusterIP: 'None' });
  const monitor = theOne(objects, 'ServiceMonitor')['spec'] as {
    selector: { matchLabels: Readonly<Record<string, string>> };
    endpoints: readonly object[];
  };
  t.match(metadata.labels, monitor.selector.matchLabels);
  t.match(monitor.endpoints, [{ port: 'admin', scheme: 'https', path: '/metrics' }]);
  t.end();
});

const ca = await createAuthority({ cn: 'Services' });
const hosts = ['orders.shop.svc.cluster.local', 'orders.shop.svc', 'orders.shop', 'orders'];
const server = await ca.issue({ cn: 'orders', hosts, usage: 'server' });

/** The sidecar's configuration, and where it looks for the Secret. */
function sidecar(): { readonly text: string; readonly secret: string } {
  const objects = kustomize(join(folder, 'overlays', 'sidecar'));
  const { data } = theOne(objects, 'ConfigMap') as unknown as { data: Readonly<Record<string, string>> };
  const { volumeMounts = [], args = [] } = ourContainer(objects);
  const mount = (name: string): string => volumeMounts.find((one) => one.name === name)?.mountPath ?? '';
  const file = args[args.indexOf('--config') + 1] ?? '';
  return { text: data[relative(mount('config'), file)] ?? '', secret: mount('tls') };
}

void t.test('the configuration of the sidecar is a good one', kubectl, (t) => {
  const { text, secret } = sidecar();
  const dir = t.testdir({
    tls: { 'tls.crt': server.bundle, 'tls.key': server.key, 'ca.crt': ca.cert },
    'config.yaml': '',
  });
  writeFileSync(join(dir, 'config.yaml'), text.replaceAll(secret, join(dir, 'tls')));
  const { status, stdout, stderr } = spawnSync(
    ...cleanNode(join(root, 'bin', 'mtls-ingress'), 'check', join(dir, 'config.yaml')),
    { encoding: 'utf8' },
  );
  t.equal(status, 0, stdout + stderr);
  t.end();
});

void t.test('the sidecar lets in whom it names, and nobody else', kubectl, async (t) => {
  const { text, secret } = sidecar();
  const config = parse(text) as Config;
  const backend = await startBackend(t);
  const upstreams = { application: { ...config.upstreams['application'], endpoints: [backend.endpoint] } };
  const material = {
    [join(secret, 'tls.crt')]: server.bundle,
    [join(secret, 'tls.key')]: server.key,
    [join(secret, 'ca.crt')]: ca.cert,
  };
  const proxy = await startProxy(t, { hosts: config.hosts, upstreams }, material);
  const ask = async (name: string): Promise<number> => {
    const certificate = await ca.issue({ cn: name, hosts: [`${name}.shop.svc.cluster.local`] });
    const host = 'orders.shop.svc.cluster.local';
    return (await request({ port: proxy.port, serverName: host, host, certificate })).status;
  };
  t.equal(await ask('checkout'), 200);
  t.equal(await ask('stranger'), 403);
  t.match(config.listeners, { https: { port: 8443 }, admin: { port: 9090, reading: 'off' } });
});
