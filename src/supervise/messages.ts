import type { Config } from '../config/schema.ts';
import type { Denial } from '../observe/denials/record.ts';
import type { IdentityState } from '../observe/inventory/state.ts';
import type { ActivityState } from '../observe/activity.ts';
import type { MetricsState } from '../observe/page.ts';
import type { SharedProof } from '../tls/proof-memory.ts';
import type { TicketState } from '../tls/ticket-keys.ts';

/** A configuration that has been loaded and checked, as plain data. */
export interface Handed {
  readonly config: Config;
  /** Contents of the files that it names. */
  readonly material: ReadonlyMap<string, string>;
}

/**
 * What a supervisor says to its worker processes. They talk over the channel that a fork opens between the two and
 * that nobody else can open, so what is said is believed.
 */
export type ToWorker =
  | {
      readonly type: 'start';
      /** From 1. */
      readonly worker: number;
      /** How many there are. */
      readonly of: number;
      readonly handed: Handed;
      readonly tickets: TicketState;
      /** File descriptors of the sockets to listen on. */
      readonly sockets: { readonly https: number; readonly http: number | null };
    }
  | { readonly type: 'configure'; readonly id: number; readonly handed: Handed }
  | { readonly type: 'tickets'; readonly tickets: TicketState }
  | { readonly type: 'report'; readonly id: number }
  | { readonly type: 'proof'; readonly id: number; readonly proof: SharedProof | null }
  | { readonly type: 'drain' };

/** What a worker process says to its supervisor. */
export type FromWorker =
  | { readonly type: 'started'; readonly version: string }
  /** It cannot serve what it was handed; a line each. */
  | { readonly type: 'refused'; readonly problems: readonly string[] }
  | {
      readonly type: 'configured';
      readonly id: number;
      /** Of the configuration in force. */
      readonly version: string;
      /** Empty: what was handed is in force. Else what was before still is. */
      readonly problems: readonly string[];
    }
  | {
      readonly type: 'report';
      readonly id: number;
      readonly metrics: MetricsState;
      readonly activity: ActivityState;
      readonly status: Readonly<Record<string, unknown>>;
    }
  /** In their order. What a worker has denied stays known when it is gone. */
  | { readonly type: 'denials'; readonly denials: readonly Denial[] }
  /** What it noted of identities since it told last. */
  | { readonly type: 'identities'; readonly identities: readonly IdentityState[] }
  | { readonly type: 'renew'; readonly name: string; readonly renewals: number }
  | { readonly type: 'learned'; readonly key: string; readonly proof: SharedProof }
  | { readonly type: 'ask'; readonly id: number; readonly key: string };
