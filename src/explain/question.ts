import { splitAuthority } from '../snapshot/host-name.ts';
import type { Identity } from '../tls/identity.ts';
import { parseIpAddress } from '../tls/ip-address.ts';

/** A request that somebody might make, over a connection of its own. */
export interface Question {
  /** As in the Host header: perhaps with a port. */
  readonly host: string;
  /** Path, and query if any, as it would be sent. */
  readonly target: string;
  readonly method: string;
  /** Name, value, … without Host, one character per byte. */
  readonly headers: readonly string[];
  /** What the client sends in the handshake; null: none. */
  readonly certificate: ClientChain | null;
  /** The server name of the handshake; null: none is sent. */
  readonly serverName: string | null;
  /** The client's. */
  readonly address: string;
  /** Over the plain HTTP listener: there is no handshake. */
  readonly plainHttp: boolean;
  /** Milliseconds since 1970; null: now. */
  readonly time: number | null;
}

/** What a client sends: its own certificate first, DER. No key is needed. */
export interface ClientChain {
  readonly chain: readonly Uint8Array[];
  /**
   * Given where the chain was made so that this moment stands for the question's time: OpenSSL knows of no other. The
   * identity is the one with the dates as they are meant.
   */
  readonly identity?: Identity;
}

/** The server name that a client sends which asks for a host: none for an address (RFC 6066 §3). */
export function serverNameFor(host: string): string | null {
  const name = splitAuthority(host)?.host ?? host;
  return parseIpAddress(name) === null ? name : null;
}

/** A question that makes no sense, or cannot be put to this configuration. */
export class BadQuestion extends Error {
  override readonly name = 'BadQuestion';
}
