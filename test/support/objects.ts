/** Objects as one writes them for `kubectl apply`. */
export type Manifest = Readonly<Record<string, unknown>> & {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [key: string]: unknown };
};

const prefix = 'nginx.ingress.kubernetes.io/';

export interface IngressOptions {
  readonly name?: string;
  readonly namespace?: string;
  readonly host: string;
  readonly path?: string;
  readonly service?: string;
  readonly port?: number;
  readonly className?: string | null;
  /** Of ingress-nginx, without their prefix; one with a slash stands as it is. */
  readonly annotations?: Readonly<Record<string, string>>;
  /** The Secret of the `tls` block. */
  readonly tls?: string;
}

export function ingress({
  host,
  name = host.replaceAll('.', '-'),
  namespace = 'default',
  path = '/',
  service: backend = 'web',
  port = 80,
  className = 'nginx',
  annotations = {},
  tls,
}: IngressOptions): Manifest {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: {
      name,
      namespace,
      annotations: Object.fromEntries(
        Object.entries(annotations).map(([key, value]) => [key.includes('/') ? key : prefix + key, value]),
      ),
    },
    spec: {
      ...(className === null ? {} : { ingressClassName: className }),
      ...(tls === undefined ? {} : { tls: [{ hosts: [host], secretName: tls }] }),
      rules: [
        {
          host,
          http: {
            paths: [
              { path, pathType: 'Prefix', backend: { service: { name: backend, port: { number: port } } } },
            ],
          },
        },
      ],
    },
  };
}

export function ingressClass(
  name = 'nginx',
  controller = 'k8s.io/ingress-nginx',
  isDefault = false,
): Manifest {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IngressClass',
    metadata: {
      name,
      ...(isDefault ? { annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } } : {}),
    },
    spec: { controller },
  };
}

export function service(name = 'web', port = 80, namespace = 'default'): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { ports: [{ name: 'http', port, targetPort: port }] },
  };
}

export interface SliceEndpoint {
  readonly address: string;
  readonly conditions?: Readonly<Record<string, boolean>>;
  readonly zones?: readonly string[];
}

/** `discovery.k8s.io/v1beta1`, which is what Kubernetes 1.20 has, or another version. */
export function slice(
  name: string,
  serviceName: string,
  port: number,
  endpoints: readonly (string | SliceEndpoint)[],
  version = 'v1beta1',
): Manifest {
  return {
    apiVersion: `discovery.k8s.io/${version}`,
    kind: 'EndpointSlice',
    metadata: { name, namespace: 'default', labels: { 'kubernetes.io/service-name': serviceName } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port, protocol: 'TCP' }],
    endpoints: endpoints.map((one) => {
      const { address, conditions, zones } = typeof one === 'string' ? { address: one } : one;
      return {
        addresses: [address],
        conditions: conditions ?? { ready: true },
        ...(zones === undefined ? {} : { hints: { forZones: zones.map((zone) => ({ name: zone })) } }),
      };
    }),
  };
}

/** Endpoints, of the time before EndpointSlices. */
export function endpoints(
  name: string,
  port: number,
  addresses: readonly string[],
  namespace = 'default',
): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { name, namespace },
    subsets: [{ addresses: addresses.map((ip) => ({ ip })), ports: [{ name: 'http', port }] }],
  };
}

export function secret(
  name: string,
  files: Readonly<Record<string, string>>,
  namespace = 'default',
): Manifest {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData: files };
}

export function configMap(
  name: string,
  data: Readonly<Record<string, string>>,
  namespace = 'default',
): Manifest {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data };
}
