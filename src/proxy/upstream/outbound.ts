import type { Readable } from 'node:stream';
import type { UpstreamReason } from '../../snapshot/reason.ts';
import type { RetryRules } from '../../snapshot/retry.ts';
import type { Timeouts } from '../../snapshot/snapshot.ts';

/** What has to be known of a request to find it an endpoint, and another if that fails. */
export interface OutboundFacts {
  /** `Upstream.name`. */
  readonly upstream: string;
  readonly method: string;
  readonly timeouts: Timeouts;
  /** Null or absent: whoever's turn it is. */
  readonly preference?: Preference | null;
  /** Default: `usualRetry`. */
  readonly retry?: RetryRules;
}

/** A request on its way to an upstream: plain values; every header is exactly as it goes out. */
export interface OutboundRequest extends OutboundFacts {
  /** Path and query. */
  readonly target: string;
  /** Name, value, name, value … as sent. Holds Host; holds no framing or hop-by-hop header. */
  readonly headers: readonly string[];
  readonly body: OutboundBody | null;
  /** Most bytes of a response's head. Default: 64 KiB, which is the most there is. */
  readonly headLimit?: number;
  /** The connection carries no further request. */
  readonly close?: boolean;
}

/** Which endpoint of its upstream a request should go to. One that is not available is passed over. */
export interface Preference {
  /** `Endpoint.name`. */
  readonly endpoint?: string;
  /** Placed on the ring of endpoints: the nearest one that is available. */
  readonly key?: string;
  /** With a key: one of so many nearest, at random. Default 1. */
  readonly subset?: number;
}

export interface OutboundBody {
  /** Read and paused by the upstream side, never destroyed nor drained: what is left of it when the call ends early stays. */
  readonly stream: Readable;
  /** All of it, where it was read before: sent in place of the stream, as often as need be. */
  readonly chunks?: readonly Buffer[];
  /** From Content-Length; null: chunked. */
  readonly length: number | null;
}

/** Told what comes back. Calls come in this order: onInformation*, onResponse, onData*, then onEnd or onError. */
export interface ResponseHandler<Head = readonly string[]> {
  /** A 1xx other than 101. */
  onInformation(status: number, head: Head): void;
  /** Name, value, … as received, hop-by-hop headers included, or what the carrier makes of a head. */
  onResponse(status: number, head: Head): void;
  /** False pauses the upstream until `OutboundCall.resume`. */
  onData(chunk: Buffer): boolean;
  onEnd(): void;
  /** Called once and last. After `onResponse` the reason is `upstream_truncated` or a time-out. */
  onError(failure: UpstreamFailure): void;
}

export interface UpstreamFailure {
  readonly reason: UpstreamReason | 'upstream_truncated';
  /** For the operator's log; may name addresses. Never sent to the client. */
  readonly detail: string;
}

/** A request under way. */
export interface OutboundCall {
  /** The client is gone: cancel the upstream request. The handler hears nothing more. */
  abort(): void;
  resume(): void;
  readonly record: UpstreamRecord;
}

/** What is logged and measured of the upstream's part. Times in milliseconds. */
export interface UpstreamRecord {
  readonly upstream: string;
  /** The endpoint last tried, or null when there was none. */
  endpoint: string | null;
  tries: number;
  /** From sending until the response's head. */
  headMs: number | null;
  status: number | null;
}
