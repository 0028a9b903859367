import type { UpstreamRecord } from '../proxy/upstream/outbound.ts';
import type { Connection } from '../snapshot/connection.ts';
import type { Decision } from '../snapshot/decision.ts';
import type { ConnectionEnd, ConnectionRefusal, HandshakeReason, RequestReason } from '../snapshot/reason.ts';
import type { ClientOffer } from '../tls/client-offer.ts';
import type { Identity } from '../tls/identity.ts';

/** Where every part of the program reports what happened. One implementation writes metrics and logs. */
export interface Observer {
  handshake(event: HandshakeEvent): void;
  request(event: RequestEvent): void;
  connectionOpened(listener: string): void;
  connectionClosed(listener: string): void;
  connectionRefused(event: ConnectionRefusedEvent): void;
  connectionEnded(event: ConnectionEndedEvent): void;
  ocsp(event: OcspEvent): void;
  staple(event: StapleEvent): void;
  upstream(event: UpstreamEvent): void;
  reload(event: ReloadEvent): void;
}

/** A connection that was closed unread: a limit on connections was reached, or no PROXY header came. */
export interface ConnectionRefusedEvent {
  readonly listener: string;
  readonly reason: ConnectionRefusal;
  /** Our own words, for the log. */
  readonly detail: string;
  readonly remoteAddress: string;
}

/** A connection that a limit ended between requests. */
export interface ConnectionEndedEvent {
  readonly listener: string;
  readonly reason: ConnectionEnd;
}

export interface HandshakeEvent {
  readonly listener: 'https';
  /** `Host.id`, or null where no host was found. */
  readonly host: string | null;
  /** Rejected: the handshake broke off, or verification failed and the host's mode does not let that pass. */
  readonly result: 'accepted' | 'rejected';
  readonly reason: HandshakeReason;
  readonly tlsVersion: string | null;
  readonly cipher: string | null;
  readonly resumed: boolean;
  /** From accepting the connection to its end, in milliseconds. */
  readonly durationMs: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** As sent, bounded and printable; null where none was. */
  readonly serverName: string | null;
  readonly identity: Identity | null;
  /** OpenSSL's or our own words, for the log. */
  readonly detail: string | null;
  /** What the client offered, as it sent it, and its fingerprint; of a rejected handshake with a ClientHello, else null. */
  readonly offer: (ClientOffer & { readonly ja4: string }) | null;
}

/** What asking an OCSP responder about a client's certificate came to, or what is remembered of it. */
export interface OcspEvent {
  /** `Host.id`. */
  readonly host: string;
  readonly result: 'good' | 'revoked' | 'unknown' | 'unavailable';
  /** False: the verdict failed by it, which the handshake tells. */
  readonly passed: boolean;
  readonly remoteAddress: string;
  readonly identity: Identity | null;
  readonly detail: string | null;
}

/** What is stapled to a host's own certificate from now on. */
export interface StapleEvent {
  /** `Host.id`. */
  readonly host: string;
  /** Milliseconds since 1970; null where nothing is stapled, or it has none. */
  readonly nextUpdate: number | null;
  /** What went wrong; null where all is well. */
  readonly detail: string | null;
}

export interface RequestEvent {
  readonly id: string;
  readonly connection: Connection;
  readonly method: string;
  readonly authority: string;
  /** As sent, with the query. */
  readonly target: string;
  readonly userAgent: string | null;
  readonly decision: Decision;
  /** Status sent to the client; 0 where it left before one was. */
  readonly status: number;
  readonly reason: RequestReason;
  readonly detail: string | null;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  readonly durationMs: number;
  readonly upstream: UpstreamRecord | null;
  readonly upgrade: boolean;
}

export type UpstreamEvent =
  /** `copy_failed`: a route's copy of a request got no answer, or was not sent; `endpoint` may then be empty. */
  | {
      readonly kind: 'retry' | 'copy_failed';
      readonly upstream: string;
      readonly endpoint: string;
      readonly detail: string;
    }
  | { readonly kind: 'ejected'; readonly upstream: string; readonly endpoint: string; readonly forMs: number }
  | { readonly kind: 'readmitted'; readonly upstream: string; readonly endpoint: string }
  | {
      readonly kind: 'healthy' | 'unhealthy';
      readonly upstream: string;
      readonly endpoint: string;
      readonly detail: string;
    };

export interface ReloadEvent {
  readonly result: 'success' | 'failure';
  /** `Snapshot.version` on success. */
  readonly version: string | null;
  /** Problems with their places, on failure. */
  readonly problems: readonly string[];
}
