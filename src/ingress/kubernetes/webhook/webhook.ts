import { isIP } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { BackOff } from '../../../back-off.ts';
import { messageOf } from '../../../pki/error.ts';
import type { ListenAddress } from '../../../snapshot/snapshot.ts';
import type { KubernetesObject } from '../../object.ts';
import { readFromCluster, type ReferenceKind } from '../cluster.ts';
import type { Api } from '../dry-api.ts';
import { Gate } from '../gate.ts';
import type { Log } from '../health.ts';
import { pathOf, resources } from '../resource.ts';
import { CertificateKeeper, type KeeperOptions, reviewPath } from './certificate-keeper.ts';
import { FileCertificate } from './file-certificate.ts';
import { judge, type Known } from './judge.ts';
import { getOrNull } from './registration.ts';
import type { WebhookAnswer } from '../../../observe/labels.ts';
import type { Review, Verdict } from './review.ts';
import { ReviewServer } from './review-server.ts';

/** Name of the Secret with the CA. */
export const secretName = 'mtls-ingress-webhook';

/** What the flags say of the webhook. */
export interface WebhookSettings {
  readonly listen: ListenAddress;
  /** The files of a certificate that somebody else makes and registers; null: we do. */
  readonly files: { readonly certificate: string; readonly key: string } | null;
  /** The Service by which the API server comes. */
  readonly service: { readonly namespace: string; readonly name: string };
  /** Name of the ValidatingWebhookConfiguration. */
  readonly registration: string;
  readonly isDryRun: boolean;
}

export interface WebhookOptions extends WebhookSettings, Pick<KeeperOptions, 'lifetimes' | 'times' | 'now'> {
  readonly client: Pick<Api, 'get' | 'create' | 'replace' | 'patch'>;
  /** Null before the first whole state of the cluster. */
  readonly known: () => Known | null;
  readonly log: Log;
  readonly report?: WebhookReport;
}

/** Counts what it does. */
export interface WebhookReport {
  webhookReview(answer: WebhookAnswer): void;
  webhookKept(isKept: boolean): void;
}

/** A review costs a turn of the event loop; others have as long before the next, in milliseconds at most. */
const longestRest = 500;

/** An address that is taken is tried again this often at least, in milliseconds. */
const longestRetryMs = 10_000;

const notYet: Verdict = {
  allowed: false,
  reasons: ['not yet: mtls-ingress has not seen the whole cluster since it was started; try again'],
  warnings: [],
  code: 503,
};

/**
 * The validating admission webhook. Whatever becomes of it, nothing of it reaches those who serve: what fails is logged, and tried
 * again.
 */
export class Webhook {
  readonly #options: WebhookOptions;
  readonly #server: ReviewServer;
  readonly #certificate: { close(): Promise<void> };
  /** Translations one after the other. */
  readonly #turn = new Gate(1);
  readonly #stop = new AbortController();
  readonly #listening = Promise.withResolvers<number>();
  #ended: Promise<void> | null = null;

  constructor(options: WebhookOptions) {
    this.#options = options;
    const { client, service, registration, isDryRun, files, log, listen } = options;
    this.#server = new ReviewServer({ judge: (review, signal) => this.#judge(review, signal) });
    const begin = (certificate: { readonly cert: string; readonly key: string }, path: string): void => {
      this.#server.serveWith(certificate, path);
      this.#ended ??= this.#listen(listen);
    };
    this.#listening.promise.catch(() => {});
    this.#certificate =
      files === null
        ? new CertificateKeeper({
            ...options,
            client,
            registration,
            isDryRun,
            log,
            secret: { namespace: service.namespace, name: secretName },
            names: namesOf(service, listen),
            onCertificate: begin,
            onKept: (isKept) => options.report?.webhookKept(isKept),
          })
        : new FileCertificate({
            ...files,
            log,
            onCertificate: (pair) => begin(pair, reviewPath),
            onKept: (isKept) => options.report?.webhookKept(isKept),
          });
  }

  /** The port that it listens on, once it does. Rejects when it is closed before. */
  get port(): Promise<number> {
    return this.#listening.promise;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#listening.reject(new Error('the webhook is closed'));
    await this.#certificate.close();
    await this.#ended;
    await this.#server.close();
  }

  async #listen(address: ListenAddress): Promise<void> {
    const { log } = this.#options;
    const { signal } = this.#stop;
    const backOff = new BackOff(longestRetryMs);
    while (!signal.aborted) {
      try {
        const { port } = await this.#server.listen(address);
        log('info', 'the webhook listens', { address: address.address, port });
        this.#listening.resolve(port);
        return;
      } catch (error) {
        if (backOff.failures === 0)
          log('error', 'the webhook cannot listen', { ...address, fault: messageOf(error) });
        await wait(backOff.next(0), undefined, { signal }).catch(() => {});
      }
    }
  }

  async #judge(review: Review, signal: AbortSignal): Promise<Verdict> {
    const { report } = this.#options;
    const leave = await this.#turn.enter();
    const began = performance.now();
    try {
      signal.throwIfAborted();
      const known = this.#options.known();
      if (known === null) {
        report?.webhookReview('unjudged');
        return notYet;
      }
      const verdict = await judge(review, known, (kind, key) => this.#read(kind, key, signal), Date.now());
      report?.webhookReview(verdict.allowed ? 'allowed' : 'refused');
      if (!verdict.allowed) this.#tell(review, verdict.reasons);
      return verdict;
    } catch (error) {
      if (signal.aborted) throw error;
      // What cannot be judged is not let through: whether that counts is for the cluster to say (failurePolicy).
      const fault = messageOf(error);
      report?.webhookReview('unjudged');
      this.#tell(review, [fault]);
      return { allowed: false, reasons: [`it cannot be judged: ${fault}`], warnings: [], code: 503 };
    } finally {
      // Those who serve go before those who write.
      setTimeout(leave, Math.min(longestRest, performance.now() - began)).unref();
    }
  }

  async #read(kind: ReferenceKind, key: string, signal: AbortSignal): Promise<KubernetesObject | null> {
    const [namespace = '', name = ''] = key.split('/');
    const [resource] = kind === 'Secret' ? resources.secrets : resources.configMaps;
    const path = pathOf(resource, namespace, name);
    const object = await getOrNull({ get: (path) => this.#options.client.get(path, {}, { signal }) }, path);
    return typeof object === 'object' && object !== null ? readFromCluster(object) : null;
  }

  #tell({ namespace, name, operation }: Review, reasons: readonly string[]): void {
    this.#options.log('info', 'the webhook refused an Ingress', {
      object: `${namespace}/${name}`,
      operation,
      reasons: reasons.slice(0, 5),
    });
  }
}

/** The API server asks for `name.namespace.svc`; who is registered by a URL, for the address in it. */
function namesOf({ namespace, name }: WebhookSettings['service'], { address }: ListenAddress): string[] {
  const domain = `${name}.${namespace}`;
  const isOne = isIP(address) !== 0 && address !== '0.0.0.0' && address !== '::';
  return [domain, `${domain}.svc`, `${domain}.svc.cluster.local`, ...(isOne ? [address] : [])];
}
