import { BackOff } from '../../back-off.ts';
import { Burst } from '../../burst.ts';
import { type Ingress, keyOf } from '../object.ts';
import type { Translation } from '../translate.ts';
import { type Address, printOfAddresses, withoutAddresses } from './address.ts';
import { ApiError } from './api-error.ts';
import { ClusterOrigin } from './cluster.ts';
import { Complaint } from './complaint.ts';
import type { Api } from './dry-api.ts';
import type { Log } from './health.ts';
import { pathOf } from './resource.ts';
import type { Writer } from './speaker.ts';

export interface StatusWriterOptions {
  readonly api: Pick<Api, 'patch'>;
  readonly log: Log;
  /** Where clients come in; null: not known now, and nothing is written. */
  readonly published: () => readonly Address[] | null;
  /** What the status of an Ingress (`namespace/name`) says now; null: it is not known. */
  readonly addressesOf: (key: string) => readonly Address[] | null;
  /** `--update-status-on-shutdown`: the last replica takes our addresses away. */
  readonly clearsUp: boolean;
  /** Milliseconds after which everything is looked at again, whether or not something has changed. */
  readonly refreshMs?: number;
}

/** Changes of a moment are written together. */
const quietMs = 100;
const longestMs = 1000;

/** As ingress-nginx. */
const standardRefreshMs = 60_000;

/** Writes under way at once. */
const maxWriting = 8;

/** Milliseconds until a refused or failed round is tried again, at most. */
const longestWaitMs = 60_000;

/**
 * Writes the addresses at which clients come in into the status of our Ingresses, where they are not there yet. Of each it writes
 * the same thing no more than once between two refreshes: another controller that writes something else is no race.
 */
export class StatusWriter implements Writer {
  readonly clearsUp: boolean;
  readonly #options: StatusWriterOptions;
  readonly #complaint: Complaint;
  readonly #burst: Burst;
  #backOff = new BackOff(longestWaitMs);
  readonly #refresh: NodeJS.Timeout;
  #ingresses: readonly Ingress[] = [];
  /** What was written since the last refresh, by uid. */
  #written = new Map<string, string>();
  #isLeading = false;
  #isClosed = false;
  #stop = new AbortController();
  #round: Promise<void> | null = null;
  /** Something happened while a round was under way. */
  #isDue = false;
  #retry: NodeJS.Timeout | null = null;
  /** At the last refresh there was no address. */
  #isMissing = false;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
    this.clearsUp = options.clearsUp;
    this.#complaint = new Complaint(options.log, {
      failing: 'the status of Ingresses cannot be written; requests are served all the same',
      works: 'the status of Ingresses can be written again',
    });
    this.#burst = new Burst(quietMs, longestMs, () => this.#look());
    this.#refresh = setInterval(() => {
      this.#written.clear();
      this.#tellMissing();
      this.#look();
    }, options.refreshMs ?? standardRefreshMs);
    this.#refresh.unref();
  }

  leading(isLeader: boolean): void {
    this.#isLeading = isLeader;
    if (!isLeader) {
      this.#stop.abort();
      return;
    }
    this.#stop = new AbortController();
    this.#written.clear();
    this.#burst.stir();
  }

  translated({ ingresses }: Translation): void {
    this.#ingresses = ingresses;
    if (this.#isLeading) this.#burst.stir();
  }

  async close(isLast: boolean): Promise<void> {
    this.#isClosed = true;
    this.#stop.abort();
    clearInterval(this.#refresh);
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#burst.close();
    await this.#round;
    if (isLast && this.clearsUp) await this.#clear();
  }

  /** At a refresh, and not before: at the start what is published comes last. */
  #tellMissing(): void {
    const published = this.#options.published();
    const isMissing = published === null || published.length === 0;
    if (isMissing && !this.#isMissing && this.#isLeading && this.#ingresses.length > 0) {
      this.#options.log('warn', 'there is no address to publish: the status of Ingresses stays as it is', {
        fault: published === null ? 'the Service is not there, or may not be read' : 'the Service has none',
      });
    }
    this.#isMissing = isMissing;
  }

  /** One round at a time. */
  #look(): void {
    if (!this.#isLeading || this.#isClosed) return;
    if (this.#round !== null) {
      this.#isDue = true;
      return;
    }
    this.#isDue = false;
    this.#round = this.#write(this.#stop.signal).finally(() => {
      this.#round = null;
      if (this.#isDue) this.#burst.stir();
    });
  }

  /** Never rejects. */
  async #write(signal: AbortSignal): Promise<void> {
    const published = this.#options.published();
    // While nothing is known, what stands there stays: names in DNS are made from it.
    if (published === null || published.length === 0) return;
    const wanted = printOfAddresses(published);
    const due = this.#ingresses.filter((ingress) => {
      const there = this.#options.addressesOf(keyOf(ingress));
      return (
        there !== null && printOfAddresses(there) !== wanted && this.#written.get(uidOf(ingress)) !== wanted
      );
    });
    const failed = await this.#patchAll(
      due.map((ingress) => ({ ingress, addresses: published })),
      signal,
      (ingress) => this.#written.set(uidOf(ingress), wanted),
    );
    if (signal.aborted || due.length === 0) return;
    if (failed === null) {
      this.#backOff = new BackOff(longestWaitMs);
      return;
    }
    this.#retry ??= setTimeout(
      () => {
        this.#retry = null;
        this.#look();
      },
      this.#backOff.next(0) * (0.5 + Math.random()),
    ).unref();
  }

  /** Takes away what we have written, and nothing else. */
  async #clear(): Promise<void> {
    const published = this.#options.published() ?? [];
    const due = this.#ingresses.flatMap((ingress) => {
      const there = this.#options.addressesOf(keyOf(ingress)) ?? [];
      const addresses = withoutAddresses(there, published);
      return addresses.length === there.length ? [] : [{ ingress, addresses }];
    });
    if (due.length === 0) return;
    let removed = 0;
    await this.#patchAll(due, new AbortController().signal, () => void removed++);
    this.#options.log(
      'info',
      'no other replica follows: our addresses are taken from the status of Ingresses',
      {
        ingresses: removed,
      },
    );
  }

  /** Gives what kept it from writing them all; what concerns one of them alone keeps nobody. */
  async #patchAll(
    due: readonly { readonly ingress: Ingress; readonly addresses: readonly Address[] }[],
    signal: AbortSignal,
    onWritten: (ingress: Ingress) => void,
  ): Promise<ApiError | null> {
    const left = due.values();
    let stopping: ApiError | null = null;
    const write = async (): Promise<void> => {
      for (const { ingress, addresses } of left) {
        if (signal.aborted || stopping !== null) return;
        try {
          await this.#patch(ingress, addresses, signal);
          onWritten(ingress);
        } catch (error) {
          if (signal.aborted) return;
          if (isGone(error)) continue;
          this.#complaint.failed(error, { ingress: keyOf(ingress) });
          if (!(error instanceof ApiError)) continue;
          // Who is refused for one is refused for all; and a server that is busy has to be left alone.
          if (error.isPassing || error.status === 401 || error.status === 403) stopping = error;
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(maxWriting, due.length) }, write));
    if (stopping === null && !signal.aborted && due.length > 0) this.#complaint.worked();
    return stopping;
  }

  async #patch(ingress: Ingress, addresses: readonly Address[], signal: AbortSignal): Promise<void> {
    const { namespace, name, origin } = ingress;
    if (!(origin instanceof ClusterOrigin)) return;
    const { apiVersion, uid } = origin;
    const resource = { kind: 'Ingress', apiVersion, plural: 'ingresses' };
    await this.#options.api.patch(
      pathOf(resource, namespace, name, 'status'),
      {
        // Another of the same name may be anybody's.
        metadata: { uid },
        status: { loadBalancer: { ingress: addresses.length === 0 ? null : addresses } },
      },
      { signal, attempts: 3 },
    );
  }
}

/** There is no such Ingress any more, or another one of its name. */
function isGone(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  // Of another uid older servers say that it cannot be changed.
  const isAnother = error.status === 422 && error.message.includes('metadata.uid');
  return error.status === 404 || error.status === 409 || isAnother;
}

function uidOf({ origin }: Ingress): string {
  return origin instanceof ClusterOrigin ? origin.uid : '';
}
