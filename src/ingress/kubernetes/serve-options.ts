import { type ManifestFlags, readManifestFlags } from '../serve-options.ts';
import type { Observability } from '../../observe/observe.ts';
import { isLabel } from '../read-meta.ts';
import { ApiClient } from './api-client.ts';
import type { ClusterScope } from './cluster.ts';
import type { Times } from './collection.ts';
import { Credentials } from './credentials.ts';
import { type Api, DryApi } from './dry-api.ts';
import { EventWriter } from './event-writer.ts';
import type { Log } from './health.ts';
import { type KubernetesOptions, KubernetesSource } from './kubernetes-source.ts';
import { LeaseElection, replicaIdentity } from './lease.ts';
import {
  readSpeakerFlags,
  speakerFlags,
  type SpeakerFlags,
  type SpeakerSettings,
  speakerUsage,
} from './speaker-options.ts';
import { Speaker } from './speaker.ts';
import { StatusWriter } from './status-writer.ts';
import { readWebhookFlags, type WebhookFlags, webhookFlags, webhookUsage } from './webhook/flags.ts';
import { Webhook, type WebhookOptions } from './webhook/webhook.ts';

/** The flags that go with `--kubernetes`, beside those of manifests, for `parseArgs`. */
export const clusterFlags = {
  kubernetes: { type: 'boolean' },
  kubeconfig: { type: 'string' },
  context: { type: 'string' },
  'watch-namespace': { type: 'string' },
  'watch-namespace-selector': { type: 'string' },
  zone: { type: 'string' },
  ...speakerFlags,
  ...webhookFlags,
} as const;

export const clusterUsage = `  --kubernetes       a cluster's objects, watched: as a Pod with its service account, or with a kubeconfig
    --kubeconfig FILE, --context NAME  (KUBECONFIG, the service account of the Pod, ~/.kube/config)
    --watch-namespace NAME            look at this namespace only
    --watch-namespace-selector SEL    look at namespaces with these labels only, as in team=shop
    --zone NAME                       of the node we run on: endpoints that are meant for it go first
${speakerUsage}${webhookUsage}    and all of the above but --resolve; Ingresses without a class are ours only if ours is the default one
`;

export type ClusterFlags = ManifestFlags &
  SpeakerFlags &
  WebhookFlags & {
    readonly kubernetes?: boolean;
    readonly kubeconfig?: string;
    readonly context?: string;
    readonly 'watch-namespace'?: string;
    readonly 'watch-namespace-selector'?: string;
    readonly zone?: string;
  };

/** Key, operator and value of requirements, as the API server reads them; it says itself what is wrong with one. */
const selector = /^[-A-Za-z0-9_./=!,() ]{1,1000}$/;

interface Fault {
  readonly fault: string;
}

/** Reads the flags; a message about the first that makes no sense. */
export function readClusterFlags(
  flags: ClusterFlags,
): (ClusterScope & Pick<KubernetesOptions, 'translate'> & { readonly speaks: SpeakerSettings }) | Fault {
  if (flags.resolve !== undefined)
    return { fault: '--resolve goes with --manifests: a cluster has endpoints' };
  const read = readManifestFlags(flags);
  if ('fault' in read) return read;
  const speaks = readSpeakerFlags(flags);
  if ('fault' in speaks) return speaks;
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
    publishedService: speaks.publishedService,
    speaks,
    translate: {
      ...read,
      watchWithoutClass: flags['watch-ingress-without-class'] ?? false,
      zone: flags.zone ?? null,
      keepsCertificates: true,
    },
  };
}

/** What a source of `--kubernetes` is put together from. Tests have their own. */
export interface ClusterParts {
  readonly credentials: Credentials;
  /** Who serves also speaks to the cluster. Null: who asks once never writes, and is not kept waiting. */
  readonly observability: Pick<Observability, 'log' | 'metrics'> | null;
  readonly times?: Partial<Times>;
  readonly webhookTimes?: Pick<WebhookOptions, 'lifetimes' | 'times'>;
}

/** The source of `--kubernetes`, or what is wrong with its flags. It begins to watch when it is loaded. */
export function createKubernetesSource(
  flags: ClusterFlags,
  observe: (() => Pick<Observability, 'log' | 'metrics'>) | null,
): KubernetesSource | string {
  const { kubeconfig = null, context = null } = flags;
  return assembleSource(flags, {
    credentials: new Credentials({ kubeconfig, context }),
    observability: observe?.() ?? null,
  });
}

export function assembleSource(
  flags: ClusterFlags,
  { credentials, observability, times = {}, webhookTimes = {} }: ClusterParts,
): KubernetesSource | string {
  const read = readClusterFlags(flags);
  if ('fault' in read) return read.fault;
  const { speaks, ...options } = read;
  const webhook = readWebhookFlags(flags, process.env);
  if (webhook !== null && 'fault' in webhook) return webhook.fault;
  const client = new ApiClient(credentials);
  if (observability === null) {
    return new KubernetesSource({
      ...options,
      publishedService: null,
      client,
      times,
      log: () => {},
      firstWithinMs: 30_000,
    });
  }
  const log: Log = (...line) => observability.log.program(...line);
  const identity = replicaIdentity();
  const source: KubernetesSource = new KubernetesSource({
    ...options,
    client,
    times,
    log,
    report: observability.metrics,
    speaker: new Speaker({
      api: client,
      log,
      isDry: speaks.isDry,
      writers: (api) => [
        ...statusWriters(api, speaks, () => source, log),
        new EventWriter({ api, log, instance: identity }),
      ],
      election: (api) =>
        new LeaseElection({
          api,
          log,
          name: speaks.electionId,
          identity,
          namespace: () => homeOf(credentials),
        }),
    }),
    ...(webhook === null
      ? {}
      : {
          webhook: (known) => {
            const { isDry } = speaks;
            const written = isDry ? new DryApi(client, log) : client;
            const report = observability.metrics;
            return new Webhook({
              ...webhook,
              ...webhookTimes,
              client: written,
              known,
              log,
              report,
              isDryRun: isDry,
            });
          },
        }),
  });
  return source;
}

/** One, or none where there is nothing to write. */
function statusWriters(
  api: Api,
  { updatesStatus, clearsStatus, publishedAddresses, publishedService }: SpeakerSettings,
  source: () => KubernetesSource,
  log: Log,
): StatusWriter[] {
  if (!updatesStatus) return [];
  if (publishedAddresses === null && publishedService === null) {
    log(
      'warn',
      'the status of Ingresses is not written: give --publish-service or --publish-status-address',
      {
        fix: '--update-status=false, where nobody reads it',
      },
    );
    return [];
  }
  return [
    new StatusWriter({
      api,
      log,
      clearsUp: clearsStatus,
      published: () => publishedAddresses ?? source().published(),
      addressesOf: (key) => source().addressesOf(key),
    }),
  ];
}

/** The namespace that the Lease is in. */
async function homeOf(credentials: Credentials): Promise<string> {
  const { POD_NAMESPACE: pod = '' } = process.env;
  return pod === '' ? ((await credentials.namespace()) ?? 'default') : pod;
}
