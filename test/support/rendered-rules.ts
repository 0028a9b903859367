import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isLoopback } from '../../src/admin/loopback.ts';
import { podOf, type Container, type PodTemplate, type Rendered } from './rendered.ts';

type Labels = Readonly<Record<string, string>>;
interface Selector {
  readonly matchLabels?: Labels;
}
interface PolicyRule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** Everything that RBAC may ask for; what is not here nobody has thought about. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  'networking.k8s.io/ingresses': ['list', 'watch'],
  'networking.k8s.io/ingressclasses': ['list', 'watch'],
  'networking.k8s.io/ingresses/status': ['patch'],
  '/services': ['list', 'watch'],
  '/endpoints': ['list', 'watch'],
  'discovery.k8s.io/endpointslices': ['list', 'watch'],
  '/secrets': ['get', 'list', 'watch'],
  '/configmaps': ['get', 'list', 'watch'],
  '/events': ['create', 'patch'],
  'admissionregistration.k8s.io/validatingwebhookconfigurations': ['get', 'patch'],
};
const allowedAtHome: Readonly<Record<string, readonly string[]>> = {
  'coordination.k8s.io/leases': ['create', 'get', 'update'],
  '/secrets': ['create', 'get', 'update'],
};
const allowedWithSelector = { '/namespaces': ['list', 'watch'] };

/** Of these only our own may be touched. */
const ownOnly: Readonly<Record<string, string>> = {
  'coordination.k8s.io/leases': 'Leases',
  'admissionregistration.k8s.io/validatingwebhookconfigurations': 'webhooks',
};

const cluster = new Set([
  'Namespace',
  'ClusterRole',
  'ClusterRoleBinding',
  'IngressClass',
  'ValidatingWebhookConfiguration',
]);

/** What is wrong with objects that are to be applied together; a line each. */
export function faultsOf(objects: readonly Rendered[]): string[] {
  const faults: string[] = [];
  const keys = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  for (const key of keys) if (keys.filter((one) => one === key).length > 1) faults.push(`${key}: twice`);
  for (const object of objects) {
    const fault = (text: string): void => void faults.push(`${object.kind} ${object.metadata.name}: ${text}`);
    if (!cluster.has(object.kind) && object.metadata.namespace === undefined) fault('no namespace');
    if (object.metadata.labels?.['app.kubernetes.io/name'] === undefined) fault('no name label');
    switch (object.kind) {
      case 'Deployment':
        podFaults(object, objects, fault);
        break;
      case 'ClusterRole':
      case 'Role':
        roleFaults(object, fault);
        break;
      case 'ClusterRoleBinding':
      case 'RoleBinding':
        bindingFaults(object, objects, fault);
        break;
      case 'ServiceAccount':
        if (object['automountServiceAccountToken'] !== false) fault('every Pod of it gets a token');
        break;
      case 'ValidatingWebhookConfiguration':
        webhookFaults(object, objects, fault);
        break;
      case 'Service':
        serviceFaults(object, objects, fault);
        break;
      case 'PodDisruptionBudget':
        if (!selects((object['spec'] as { selector: Selector }).selector.matchLabels, pods(objects)))
          fault('selects no Pod');
        break;
      case 'HorizontalPodAutoscaler': {
        const { scaleTargetRef: target } = object['spec'] as {
          scaleTargetRef: { kind: string; name: string };
        };
        if (!keys.includes(`${target.kind} ${target.name}`)) fault('scales what is not there');
        break;
      }
    }
  }
  return faults;
}

function pods(objects: readonly Rendered[]): readonly PodTemplate[] {
  return objects.filter(({ kind }) => kind === 'Deployment').map(podOf);
}

/** Whether labels, and there have to be some, select exactly one of the Pods. */
function selects(labels: Labels | undefined, all: readonly PodTemplate[]): boolean {
  const wanted = Object.entries(labels ?? {});
  const met = all.filter(({ metadata }) => wanted.every(([name, value]) => metadata.labels[name] === value));
  return wanted.length > 0 && met.length === 1;
}

function podFaults(deployment: Rendered, objects: readonly Rendered[], fault: (text: string) => void): void {
  const template = podOf(deployment);
  const { selector } = deployment['spec'] as { selector: Selector };
  if (!selects(selector.matchLabels, [template])) fault('does not select its own Pods');
  const { spec } = template;
  const security = spec.securityContext ?? {};
  if (security['runAsNonRoot'] !== true) fault('may run as root');
  if (!(Number(security['runAsUser']) > 0)) fault('runs as root');
  if ((security['seccompProfile'] as { type?: string } | undefined)?.type !== 'RuntimeDefault')
    fault('has no seccomp profile');
  for (const key of ['hostPID', 'hostIPC']) if (spec[key] !== undefined) fault(key);
  const accounts = objects
    .filter(({ kind }) => kind === 'ServiceAccount')
    .map(({ metadata }) => metadata.name);
  if (!accounts.includes(spec.serviceAccountName ?? '')) fault('has no account of its own');
  const bound = objects.some(({ kind }) => kind === 'ClusterRoleBinding');
  if (spec['automountServiceAccountToken'] !== bound)
    fault('has a token that it does not need, or the other way round');
  const volumes = new Map((spec.volumes ?? []).map((volume) => [volume['name'], volume]));
  for (const volume of volumes.values()) {
    if (volume['hostPath'] !== undefined) fault('mounts a path of the node');
    const { name } = (volume['configMap'] ?? {}) as { name?: string };
    if (name !== undefined && !objects.some((one) => one.kind === 'ConfigMap' && one.metadata.name === name))
      fault(`mounts the ConfigMap ${name}, which is not there`);
  }
  for (const container of spec.containers) containerFaults(container, spec, volumes, fault);
}

function containerFaults(
  container: Container,
  { hostNetwork }: PodTemplate['spec'],
  volumes: ReadonlyMap<unknown, Readonly<Record<string, unknown>>>,
  tell: (text: string) => void,
): void {
  const fault = (text: string): void => tell(`${container.name}: ${text}`);
  const { securityContext = {}, resources, volumeMounts = [], ports = [] } = container;
  const capabilities = securityContext['capabilities'] as { drop?: string[]; add?: string[] } | undefined;
  if (securityContext['allowPrivilegeEscalation'] !== false) fault('may gain privileges');
  if (securityContext['readOnlyRootFilesystem'] !== true) fault('may write its own file system');
  if (securityContext['privileged'] !== undefined) fault('is privileged');
  if (capabilities?.drop?.join() !== 'ALL' || capabilities.add !== undefined) fault('has capabilities');
  if (resources?.requests?.['cpu'] === undefined || resources.requests['memory'] === undefined)
    fault('asks for no resources');
  if (resources?.limits?.['memory'] === undefined) fault('has no limit of memory');
  for (const { name, mountPath, readOnly } of volumeMounts) {
    const volume = volumes.get(name);
    if (volume === undefined) fault(`mounts ${name}, which is no volume`);
    else if (volume['emptyDir'] === undefined && readOnly !== true) fault(`may write ${mountPath}`);
  }
  if (
    !/^[^:@]+(?::(?!latest$)[\w.-]+|@sha256:[0-9a-f]{64})$/.test(container.image) &&
    container.name === 'mtls-ingress'
  )
    fault(`runs whatever ${container.image} is at the moment`);
  for (const { containerPort } of ports)
    if (containerPort < 1024) fault(`port ${containerPort} wants a capability`);
  if (container.name === 'mtls-ingress') ourFaults(container, hostNetwork === true, fault);
}

/** Ports that the image declares, so that manifests and image do not part. */
const exposed: ReadonlySet<string> = new Set(
  /^EXPOSE (.+)$/m
    .exec(readFileSync(join(import.meta.dirname, '..', '..', 'Dockerfile'), 'utf8'))?.[1]
    ?.split(' '),
);

function ourFaults(
  { args = [], ports = [], ...rest }: Container,
  hostNetwork: boolean,
  fault: (text: string) => void,
): void {
  for (const { containerPort } of ports)
    if (!exposed.has(String(containerPort))) fault(`the image does not expose ${containerPort}`);
  const byName = new Map(ports.map(({ name, containerPort }) => [name, String(containerPort)]));
  for (const name of ['https', 'http', 'admin']) {
    const flag = args.find((arg) => arg.startsWith(`--${name}-port=`));
    if (flag !== undefined && flag !== `--${name}-port=${byName.get(name)}`) fault(`${flag} is not its port`);
  }
  const admin = args.find((arg) => arg.startsWith('--admin-address='))?.split('=')[1];
  for (const [probe, path] of [
    ['livenessProbe', '/healthz'],
    ['readinessProbe', '/readyz'],
  ] as const) {
    const { httpGet } = (rest[probe] ?? {}) as { httpGet?: { path: string; port: string; host?: string } };
    if (httpGet?.path !== path || httpGet.port !== 'admin') fault(`${probe} does not ask ${path}`);
    // On loopback the kubelet gets there only where the Pod has the node's own.
    if (admin !== undefined && isLoopback(admin) !== (hostNetwork && httpGet?.host === admin))
      fault(`${probe} does not get to ${admin}`);
  }
}

function roleFaults(role: Rendered, fault: (text: string) => void): void {
  const limits: Readonly<Record<string, readonly string[]>> =
    role.kind === 'ClusterRole' ? { ...allowed, ...allowedWithSelector } : allowedAtHome;
  for (const { apiGroups = [], resources = [], verbs, resourceNames } of role[
    'rules'
  ] as readonly PolicyRule[]) {
    if (apiGroups.length === 0 || resources.length === 0 || verbs.length === 0)
      fault('a rule without an end');
    for (const group of apiGroups) {
      for (const resource of resources) {
        const known = limits[`${group}/${resource}`];
        if (known === undefined) fault(`asks for ${group}/${resource}`);
        for (const verb of verbs) if (known?.includes(verb) === false) fault(`asks to ${verb} ${resource}`);
        // `create` cannot be limited to a name: there is none yet.
        const own = ownOnly[`${group}/${resource}`] ?? (role.kind === 'Role' ? resource : undefined);
        if (own !== undefined && !verbs.includes('create') && resourceNames === undefined)
          fault(`asks for the ${own} of others`);
      }
    }
  }
}

function bindingFaults(binding: Rendered, objects: readonly Rendered[], fault: (text: string) => void): void {
  const { kind, name } = binding['roleRef'] as { kind: string; name: string };
  if (!objects.some((one) => one.kind === kind && one.metadata.name === name))
    fault(`there is no ${kind} ${name}`);
  const subjects = binding['subjects'] as readonly { kind: string; name: string; namespace?: string }[];
  for (const subject of subjects) {
    const account = objects.find(
      (one) =>
        one.kind === subject.kind &&
        one.metadata.name === subject.name &&
        one.metadata.namespace === subject.namespace,
    );
    if (subject.kind !== 'ServiceAccount' || account === undefined)
      fault(`binds ${subject.kind} ${subject.name}`);
  }
}

function webhookFaults(object: Rendered, objects: readonly Rendered[], fault: (text: string) => void): void {
  const webhooks = object['webhooks'] as readonly {
    readonly name: string;
    readonly clientConfig: {
      readonly service: { readonly namespace: string; readonly name: string; readonly port: number };
    };
    readonly sideEffects: string;
    readonly rules: readonly { readonly resources: readonly string[] }[];
  }[];
  for (const { name, clientConfig, sideEffects, rules } of webhooks) {
    const { service } = clientConfig;
    const found = objects.find(
      ({ kind, metadata }) =>
        kind === 'Service' && metadata.name === service.name && metadata.namespace === service.namespace,
    );
    const { ports = [] } = (found?.['spec'] ?? {}) as { ports?: readonly { port: number }[] };
    if (!ports.some(({ port }) => port === service.port)) fault(`${name} leads to no Service`);
    if (sideEffects !== 'None') fault(`${name} has side effects, and dry runs fail`);
    if (rules.some(({ resources }) => resources.join() !== 'ingresses'))
      fault(`${name} judges more than Ingresses`);
  }
  const pod = pods(objects)[0]?.spec.containers.find(({ name }) => name === 'mtls-ingress');
  const port = pod?.ports?.find(({ name }) => name === 'webhook')?.containerPort;
  if (pod?.args?.includes(`--validating-webhook=:${port}`) !== true) fault('nobody listens');
}

function serviceFaults(service: Rendered, objects: readonly Rendered[], fault: (text: string) => void): void {
  const { selector, ports } = service['spec'] as {
    selector?: Labels;
    ports: readonly { name: string; targetPort: string }[];
  };
  const all = pods(objects);
  if (!selects(selector, all)) fault('selects no Pod');
  const names = new Set(
    all.flatMap(({ spec }) => spec.containers).flatMap(({ ports = [] }) => ports.map(({ name }) => name)),
  );
  for (const { name, targetPort } of ports) {
    if (!names.has(targetPort)) fault(`${name} leads to no port of the Pod`);
  }
}
