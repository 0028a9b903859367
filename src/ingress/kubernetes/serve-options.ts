import { type ManifestFlags, readManifestFlags } from '../serve-options.ts';
import type { Observability } from '../../observe/observe.ts';
import { isLabel } from '../read-meta.ts';
import { ApiClient } from './api-client.ts';
import { Credentials } from './credentials.ts';
import { type KubernetesOptions, KubernetesSource } from './kubernetes-source.ts';

/** The flags that go with `--kubernetes`, beside those of manifests, for `parseArgs`. */
export const clusterFlags = {
  kubernetes: { type: 'boolean' },
  kubeconfig: { type: 'string' },
  context: { type: 'string' },
  'watch-namespace': { type: 'string' },
  'watch-namespace-selector': { type: 'string' },
  zone: { type: 'string' },
} as const;

export const clusterUsage = `  --kubernetes       a cluster's objects, watched: as a Pod with its service account, or with a kubeconfig
    --kubeconfig FILE, --context NAME  (KUBECONFIG, the service account of the Pod, ~/.kube/config)
    --watch-namespace NAME            look at this namespace only
    --watch-namespace-selector SEL    look at namespaces with these labels only, as in team=shop
    --zone NAME                       of the node we run on: endpoints that are meant for it go first
    and all of the above but --resolve; Ingresses without a class are ours only if ours is the default one
`;

export type ClusterFlags = ManifestFlags & {
  readonly kubernetes?: boolean;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly 'watch-namespace'?: string;
  readonly 'watch-namespace-selector'?: string;
  readonly zone?: string;
};

/** Key, operator and value of requirements, as the API server reads them; it says itself what is wrong with one. */
const selector = /^[-A-Za-z0-9_./=!,() ]{1,1000}$/;

/** Reads the flags; a message about the first that makes no sense. */
export function readClusterFlags(
  flags: ClusterFlags,
): Omit<KubernetesOptions, 'client' | 'log' | 'report'> | { readonly fault: string } {
  if (flags.resolve !== undefined)
    return { fault: '--resolve goes with --manifests: a cluster has endpoints' };
  const read = readManifestFlags(flags);
  if ('fault' in read) return read;
  const namespace = flags['watch-namespace'] ?? null;
  const namespaceSelector = flags['watch-namespace-selector'] ?? null;
  if (namespace !== null && namespaceSelector !== null)
    return { fault: 'give --watch-namespace or --watch-namespace-selector, not both' };
  if (namespace !== null && !isLabel(namespace))
    return { fault: `--watch-namespace ${namespace} is no namespace` };
  if (namespaceSelector !== null && !selector.test(namespaceSelector))
    return { fault: `--watch-namespace-selector ${namespaceSelector} is no label selector` };
  return {
    namespace,
    namespaceSelector,
    service: read.defaultBackendService,
    translate: {
      ...read,
      watchWithoutClass: flags['watch-ingress-without-class'] ?? false,
      zone: flags.zone ?? null,
      keepsCertificates: true,
    },
  };
}

/** The source of `--kubernetes`, or what is wrong with its flags. It begins to watch at once. */
export function createKubernetesSource(
  flags: ClusterFlags,
  observe: (() => Pick<Observability, 'log' | 'metrics'>) | null,
): KubernetesSource | string {
  const options = readClusterFlags(flags);
  if ('fault' in options) return options.fault;
  const { kubeconfig = null, context = null } = flags;
  const client = new ApiClient(new Credentials({ kubeconfig, context }));
  return new KubernetesSource({
    ...options,
    client,
    log: (...line) => observe?.().log.program(...line),
    // Who asks once is not kept waiting; who serves has nothing else to do.
    ...(observe === null ? { firstWithinMs: 30_000 } : { report: observe().metrics }),
  });
}
