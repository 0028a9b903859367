import { setTimeout as wait } from 'node:timers/promises';
import type { KubernetesObject } from '../object.ts';
import type { Translation } from '../translate.ts';
import { type Api, DryApi } from './dry-api.ts';
import type { Log } from './health.ts';

/** Says something to the cluster: the status of Ingresses, Events. It never keeps a configuration from coming into force. */
export interface Writer {
  /** Of several replicas one leads, and only that one writes. Not leading is how it begins, and what comes before `close`. */
  leading(isLeader: boolean): void;
  /** Every translation, in order, whether it leads or not, before it is in force. */
  translated(translation: Translation, objects: readonly KubernetesObject[]): void;
  /**
   * Nothing is written afterwards. What takes too long is not waited for.
   *
   * @param isLast We lead, nobody else does, and no other replica wanted to: what nobody would look after may be taken away.
   */
  close(isLast: boolean): Promise<void>;
  /** It has something to take away then, for which it is worth some seconds to find out. */
  readonly clearsUp?: boolean;
}

/** Which of several replicas leads. */
export interface Election {
  /** Begins to take part. */
  start(onLeading: (isLeader: boolean) => void): void;
  /**
   * Takes part no longer, without a callback.
   *
   * @param looksForOthers If we lead: gives it up, and waits whether another replica wants it. True: nobody did, and it is ours
   * again until `close`. False at once where we do not lead.
   */
  end(looksForOthers: boolean): Promise<boolean>;
  /** Gives up what is ours. */
  close(): Promise<void>;
}

export interface SpeakerOptions {
  readonly api: Api;
  /** `--dry-run`: what would be written is logged instead. */
  readonly isDry: boolean;
  readonly log: Log;
  /** Writers write by this, and by nothing else. */
  readonly writers: (api: Api) => readonly Writer[];
  /** Null: there is no other replica. Not asked in a dry run, which leads for itself. */
  readonly election: ((api: Api) => Election) | null;
}

/** Milliseconds that writers have to end. */
const closeWithinMs = 8000;

/**
 * All that is said to the cluster: tells the writers what was translated and whether they lead. The replica takes part in the
 * election from its first translation on. Whether a dry run writes is decided here, by what writers are given to write with.
 */
export class Speaker {
  readonly #log: Log;
  readonly #writers: readonly Writer[];
  readonly #election: Election | null;
  #hasBegun = false;
  #isLeading = false;
  #isClosed = false;

  constructor({ api, isDry, log, writers, election }: SpeakerOptions) {
    this.#log = log;
    const written = isDry ? new DryApi(api, log) : api;
    this.#writers = writers(written);
    this.#election = isDry || this.#writers.length === 0 ? null : (election?.(written) ?? null);
  }

  /** This replica is the one that writes. */
  get isLeading(): boolean {
    return this.#isLeading;
  }

  /** Never throws. */
  translated(translation: Translation, objects: readonly KubernetesObject[]): void {
    if (this.#isClosed) return;
    this.#each((writer) => writer.translated(translation, objects));
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    if (this.#election === null) this.#lead(true);
    else this.#election.start((isLeader) => this.#lead(isLeader));
  }

  /** Never rejects, and ends in time whatever the API server does. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isLeading = false;
    this.#each((writer) => writer.leading(false));
    const clearsUp = this.#writers.some((writer) => writer.clearsUp === true);
    let isLast = this.#election === null && this.#hasBegun;
    try {
      if (this.#election !== null) isLast = await this.#election.end(clearsUp);
    } catch (error) {
      this.#say(error);
    }
    const closed = this.#writers.map(async (writer) => {
      try {
        await writer.close(isLast);
      } catch (error) {
        this.#say(error);
      }
    });
    const timer = new AbortController();
    const late = wait(closeWithinMs, undefined, { signal: timer.signal }).catch(() => {});
    await Promise.race([Promise.all(closed), late]);
    timer.abort();
    try {
      await this.#election?.close();
    } catch (error) {
      this.#say(error);
    }
  }

  #lead(isLeader: boolean): void {
    if (this.#isClosed) return;
    this.#isLeading = isLeader;
    this.#each((writer) => writer.leading(isLeader));
  }

  /** One that fails does not take the others with it. */
  #each(tell: (writer: Writer) => void): void {
    for (const writer of this.#writers) {
      try {
        tell(writer);
      } catch (error) {
        this.#say(error);
      }
    }
  }

  #say(error: unknown): void {
    this.#log('error', 'the cluster could not be told', {
      detail: error instanceof Error ? error.message : String(error),
    });
  }
}
