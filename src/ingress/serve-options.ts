import { isIP } from 'node:net';
import { isLoopback } from '../admin/loopback.ts';
import { qualifiedName } from './annotations/value-types.ts';
import type { TranslateOptions } from './options.ts';
import { isLabel } from './read-meta.ts';

/** The flags that go with `--manifests`, for `parseArgs`. Named after ingress-nginx's where it has them. */
export const manifestFlags = {
  manifests: { type: 'string' },
  'ingress-class': { type: 'string' },
  'controller-class': { type: 'string' },
  'watch-ingress-without-class': { type: 'boolean' },
  'allow-cross-namespace-secrets': { type: 'boolean' },
  configmap: { type: 'string' },
  'default-backend-service': { type: 'string' },
  'default-ssl-certificate': { type: 'string' },
  resolve: { type: 'string', multiple: true },
  address: { type: 'string' },
  'https-port': { type: 'string' },
  'http-port': { type: 'string' },
  'admin-port': { type: 'string' },
  'admin-address': { type: 'string' },
  'admin-tokens': { type: 'string' },
  'ingress-nginx-metrics': { type: 'boolean' },
} as const;

export const manifestUsage = `  --manifests PATH   Kubernetes manifests, a file or a folder, in place of a configuration: Ingress, IngressClass,
                     Service, Endpoints, EndpointSlice, Secret and ConfigMap; reloaded when they change
    --ingress-class NAME              the class that is ours (nginx)
    --controller-class NAME           the controller of the IngressClasses that are ours (k8s.io/ingress-nginx)
    --watch-ingress-without-class     Ingresses without any class are ours too; so they are anyway, since there is no cluster
    --configmap NS/NAME               what holds for all (ingress-nginx/ingress-nginx-controller, if it is there)
    --allow-cross-namespace-secrets   annotations may name Secrets of other namespaces
    --default-backend-service NS/NAME the Service that answers where no Ingress does (404)
    --default-ssl-certificate NS/NAME the Secret with the certificate of hosts without one (self-signed)
    --resolve NS/SERVICE=HOST:PORT    where a Service is, without a cluster; several with commas, or once for each
    --address ADDRESS                 to listen on (0.0.0.0)
    --admin-address ADDRESS           for /healthz and /readyz (127.0.0.1, with metrics and status)
    --admin-tokens FILE               metrics and status are for who shows one of its tokens, over TLS; the certificate is made
    --ingress-nginx-metrics           metrics under ingress-nginx's names as well: docs/metrics.md
    --https-port, --http-port, --admin-port PORT   (443, 80, 9090); --http-port off: none
`;

/** The values that \`parseArgs\` gives. */
export type ManifestFlags = {
  readonly [
    Name in Exclude<
      keyof typeof manifestFlags,
      'resolve' | 'watch-ingress-without-class' | 'allow-cross-namespace-secrets' | 'ingress-nginx-metrics'
    >
  ]?: string;
} & {
  readonly resolve?: readonly string[];
  readonly 'watch-ingress-without-class'?: boolean;
  readonly 'allow-cross-namespace-secrets'?: boolean;
  readonly 'ingress-nginx-metrics'?: boolean;
};

/** Reads the flags; a message about the first that makes no sense. */
export function readManifestFlags(
  flags: ManifestFlags,
): Omit<TranslateOptions, 'defaultCertificate'> | { readonly fault: string } {
  const address = flags.address ?? '0.0.0.0';
  if (isIP(address) === 0) return { fault: `--address ${address} is no IP address` };
  const adminAddress = flags['admin-address'] ?? '127.0.0.1';
  if (isIP(adminAddress) === 0) return { fault: `--admin-address ${adminAddress} is no IP address` };
  const https = port(flags['https-port'], 443);
  const http = flags['http-port'] === 'off' ? null : port(flags['http-port'], 80);
  const admin = port(flags['admin-port'], 9090);
  if (https === undefined) return { fault: '--https-port wants a port' };
  if (http === undefined) return { fault: '--http-port wants a port, or off' };
  if (admin === undefined) return { fault: '--admin-port wants a port' };
  const service = flags['default-backend-service'] ?? null;
  if (service !== null && !isServiceName(service)) {
    return { fault: `--default-backend-service ${service} is not NAMESPACE/NAME` };
  }
  const certificate = flags['default-ssl-certificate'] ?? null;
  if (certificate !== null && 'problem' in qualifiedName.parse(certificate)) {
    return { fault: `--default-ssl-certificate ${certificate} is not NAMESPACE/NAME` };
  }
  const configMap = flags.configmap ?? 'ingress-nginx/ingress-nginx-controller';
  if (!/^[a-z0-9-]+\/[a-z0-9.-]+$/.test(configMap)) {
    return { fault: `--configmap ${configMap} is not NAMESPACE/NAME` };
  }
  const resolve = new Map<string, string[]>();
  for (const text of flags.resolve ?? []) {
    const match = /^([a-z0-9-]+\/[a-z0-9-]+(?::[a-z0-9-]+)?)=(.+)$/.exec(text);
    const endpoints = match?.[2]?.split(',') ?? [];
    if (match === null || !isServiceName(match[1]!.replace(/:.*$/, '')) || !endpoints.every(isEndpoint)) {
      return { fault: `--resolve ${text} is not NAMESPACE/SERVICE=HOST:PORT` };
    }
    resolve.set(match[1]!, [...(resolve.get(match[1]!) ?? []), ...endpoints]);
  }
  return {
    ingressClass: flags['ingress-class'] ?? 'nginx',
    controllerClass: flags['controller-class'] ?? 'k8s.io/ingress-nginx',
    // There is no other controller that they could be meant for.
    watchWithoutClass: true,
    requiresClass: false,
    zone: null,
    keepsCertificates: false,
    allowCrossNamespaceSecrets: flags['allow-cross-namespace-secrets'] ?? false,
    defaultBackendService: service,
    defaultCertificateSecret: certificate,
    configMap,
    requiresConfigMap: flags.configmap !== undefined,
    resolve,
    base: {
      ...(flags['ingress-nginx-metrics'] === true ? { metrics: { ingressNginxNames: true } } : {}),
      listeners: {
        https: { address, port: https },
        ...(http === null ? {} : { http: { address, port: http } }),
        admin: {
          address: adminAddress,
          port: admin,
          // Whoever reaches it from elsewhere is told whether we are well, and no more.
          ...(isLoopback(adminAddress) ? {} : { reading: 'off' as const }),
        },
      },
    },
  };
}

function port(text: string | undefined, standard: number): number | undefined {
  if (text === undefined) return standard;
  return /^[0-9]{1,5}$/.test(text) && Number(text) <= 65535 ? Number(text) : undefined;
}

function isServiceName(text: string): boolean {
  const parts = text.split('/');
  return parts.length === 2 && parts.every(isLabel);
}

function isEndpoint(text: string): boolean {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})$/.exec(text);
  return match !== null && Number(match[2]) >= 1 && Number(match[2]) <= 65535;
}
