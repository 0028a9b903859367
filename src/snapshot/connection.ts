import type { Identity } from '../tls/identity.ts';
import type { Verdict } from '../tls/verdict.ts';

/** What is known of a downstream connection once its handshake is over. Plain data: `decide` takes it. */
export interface Connection {
  /** Which listener accepted it. */
  readonly listener: 'https' | 'http';
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  /** The SNI, normalised, or null where the client sent none. */
  readonly serverName: string | null;
  /** `Host.id` of the host under whose TLS settings the handshake ran; null for plain HTTP. */
  readonly hostId: string | null;
  /** The server name matched that host; false where the default host stood in for an absent or unknown one. */
  readonly serverNameMatched: boolean;
  /** `ClientAuth.key` that the certificate was verified under; null where none was asked for. */
  readonly trustKey: string | null;
  readonly verdict: Verdict;
  /** The certificate's facts: for a verdict `success` proven, for `failed` only claimed. */
  readonly identity: Identity | null;
  /** `TLSv1.3` and the like; null for plain HTTP. */
  readonly tlsVersion: string | null;
  readonly cipher: string | null;
  readonly resumed: boolean;
}
