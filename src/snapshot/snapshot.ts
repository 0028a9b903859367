import type { ClientAuthMode, Dialect, StandIn } from '../config/schema.ts';
import type { Policy } from '../policy/policy.ts';
import type { HostTable } from './host-table.ts';
import type { RouteTable } from './route-table.ts';

/** One compiled, frozen configuration. Swapped whole, in one assignment; never changed. */
export interface Snapshot {
  /** SHA-256 over configuration and material, hex. */
  readonly version: string;
  readonly listeners: Listeners;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** Sessions may be resumed. */
  readonly sessionTickets: boolean;
  readonly hosts: HostTable;
  /** Stands in where a server name leads to no host: the one that is configured, else the strictest there is. */
  readonly defaultHost: Host;
  /** Whether the default host stands in for an unknown server name, and for none, or the connection is refused. */
  readonly standIn: { readonly unknown: StandIn; readonly absent: StandIn };
  readonly upstreams: ReadonlyMap<string, Upstream>;
  /**
   * Header names that only we may set, lower case, `_` written as `-`: those of every dialect and of every
   * template in the configuration. Removed from every inbound request on every host (rule 4).
   */
  readonly identityHeaderNames: ReadonlySet<string>;
  readonly limits: Limits;
  readonly crypto: CryptoSettings;
  readonly shutdown: { readonly delayMs: number; readonly graceMs: number };
  readonly accessLog: boolean;
}

/** By OpenSSL's names, best first. Null: the runtime's. */
export interface CryptoSettings {
  readonly ciphers: readonly string[];
  readonly groups: readonly string[] | null;
  readonly signatureAlgorithms: readonly string[] | null;
}

export interface ListenAddress {
  readonly address: string;
  readonly port: number;
}

export interface Listeners {
  readonly https: ListenAddress;
  /** `redirectPort` null: the https listener's own. */
  readonly http: (ListenAddress & { readonly redirectPort: number | null }) | null;
  readonly admin: ListenAddress;
}

export interface Host {
  /** Stable name of the host in logs, metrics and reports: its first name. Unique in a snapshot. */
  readonly id: string;
  readonly names: readonly string[];
  /** PEM; the certificate with its chain. */
  readonly certificate: { readonly cert: string; readonly key: string };
  readonly clientAuth: ClientAuth;
  readonly policy: Policy | null;
  readonly routes: RouteTable;
  /**
   * The host or one of its routes has a policy: then a path that a backend may read differently is refused
   * on all of the host, because the other reading may be the one that a policy covers.
   */
  readonly judgesPaths: boolean;
}

export interface ClientAuth {
  readonly mode: ClientAuthMode;
  /** Abort the handshake of a client that is not authorised, instead of answering it. */
  readonly strict: boolean;
  /** PEM of the trust store; null only with mode `off`. */
  readonly ca: string | null;
  /** PEM of the CRLs, or null. */
  readonly crl: string | null;
  readonly verifyDepth: number;
  /**
   * SHA-256 over mode, strictness, CA, CRL and depth; null with mode `off`. A connection counts as verified
   * for a host only while its key is the host's: a changed trust store makes older connections worthless.
   */
  readonly key: string | null;
}

export interface Route {
  /** `host id + path type + path`: the route in logs and metrics. Unique in a snapshot. */
  readonly id: string;
  readonly hostId: string;
  readonly path: string;
  readonly pathType: 'Exact' | 'Prefix';
  readonly policy: Policy | null;
  readonly upstream: string;
  readonly identityHeaders: IdentityHeaders;
  readonly timeouts: Timeouts;
  /** Bytes; Infinity for none. */
  readonly bodyLimit: number;
  /** Upgrade protocols to tunnel, lower case. */
  readonly upgrade: readonly string[];
}

export interface IdentityHeaders {
  readonly dialects: readonly Dialect[];
  readonly certificate: boolean;
  /** Header name as written → template as written. */
  readonly templates: ReadonlyMap<string, string>;
}

/** All in milliseconds. */
export interface Timeouts {
  readonly connectMs: number;
  readonly sendMs: number;
  readonly readMs: number;
}

export interface Endpoint {
  readonly address: string;
  readonly port: number;
  /** `address:port`, brackets around IPv6: its name in logs. */
  readonly name: string;
}

export interface Upstream {
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
  readonly balance: 'round_robin' | 'least_connections';
  readonly tls: UpstreamTls | null;
  readonly health: Health | null;
  /** Consecutive failures until an endpoint is left out, for how long at first, and at most. */
  readonly ejection: {
    readonly failures: number;
    readonly durationMs: number;
    readonly maxDurationMs: number;
  };
  /** Endpoints tried for one request, the first included. */
  readonly tries: number;
  /** Idle connections kept, and how long. */
  readonly keepAlive: { readonly connections: number; readonly timeoutMs: number };
  /** SHA-256 over all of the above: pools live on across a reload as long as it stays the same. */
  readonly key: string;
}

export interface UpstreamTls {
  /** False only where the configuration says `dangerouslySkipVerification: true`. */
  readonly verify: boolean;
  /** PEM, or null for the system's CAs. */
  readonly ca: string | null;
  /** SNI and the name to verify; null: the endpoint's own address. */
  readonly serverName: string | null;
  readonly cert: string | null;
  readonly key: string | null;
}

export interface Health {
  readonly path: string;
  readonly host: string | null;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly healthyAfter: number;
  readonly unhealthyAfter: number;
}

export interface Limits {
  readonly handshakeTimeoutMs: number;
  readonly handshakes: number;
  readonly handshakesPerAddress: number;
  readonly connections: number;
  readonly connectionsPerAddress: number;
  readonly headSize: number;
  readonly headerCount: number;
  readonly headTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly keepAliveRequests: number;
}
