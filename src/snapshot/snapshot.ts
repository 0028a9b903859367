import type { ClientAuthMode, Dialect, PathType, PlainHttp, StandIn } from '../config/schema.ts';
import type { DenyList } from '../policy/deny-list.ts';
import type { Policy } from '../policy/policy.ts';
import type { Access, RateLimit } from './access.ts';
import type { AdminAccess } from './admin-access.ts';
import type { Affinity } from './affinity.ts';
import type { Canary } from './canary.ts';
import type { AddressRanges } from '../tls/cidr.ts';
import type { Revocation } from '../tls/revocation.ts';
import type { Cors } from './cors.ts';
import type { ErrorPages } from './error-pages.ts';
import type { HostTable } from './host-table.ts';
import type { KeyTemplate } from './key-template.ts';
import type { PathPattern } from './path-pattern.ts';
import type { Reports } from './report.ts';
import type { ResponseEdits } from './response-edits.ts';
import type { RetryRules } from './retry.ts';
import type { RouteTable } from './route-table.ts';
import type { TargetTemplate } from './target-template.ts';

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
  /** Whose X-Forwarded-* are believed (null: nobody's), and whether X-Forwarded-For is appended to. */
  readonly forwarded: { readonly trust: AddressRanges | null; readonly append: boolean };
  readonly limits: Limits;
  readonly crypto: CryptoSettings;
  /** What a reload does with open connections whose client is no longer trusted. */
  readonly onTrustEnd: 'next_request' | 'close';
  readonly shutdown: { readonly delayMs: number; readonly graceMs: number };
  /** Who is refused on every host, whatever policies say; null for nobody. */
  readonly denyList: DenyList | null;
  readonly accessLog: boolean;
  /** Metrics stand under ingress-nginx's names as well. */
  readonly ingressNginxNames: boolean;
  /** Plain requests take the express lane. */
  readonly expressLane: boolean;
  /** Denials that are kept: how many, and how much memory they take. */
  readonly denials: { readonly keep: number; readonly bytes: number };
  /** Identities that are remembered: how many, and the file that holds them; null: none. */
  readonly inventory: { readonly keep: number; readonly file: string | null };
  /** Worker processes; auto: one for each core. */
  readonly workers: number | 'auto';
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

/** Where clients connect. */
export interface TrafficListener extends ListenAddress {
  /** Null: every connection is its client's own. */
  readonly proxyProtocol: ProxyProtocol | null;
}

export interface ProxyProtocol {
  /** Who has to open each connection with a PROXY header, and is believed. */
  readonly trusted: AddressRanges;
  readonly timeoutMs: number;
}

/** The second listener, for the operator. */
export interface AdminListener extends ListenAddress {
  readonly access: AdminAccess;
  /** Its certificate, and whose client certificates count; a host without routes. Null: it speaks plain HTTP. */
  readonly host: Host | null;
}

export interface Listeners {
  readonly https: TrafficListener;
  /** `redirectPort` null: the https listener's own. */
  readonly http: (TrafficListener & { readonly redirectPort: number | null }) | null;
  readonly admin: AdminListener;
  /** Another instance may listen beside this one. */
  readonly reusePort: boolean;
}

export interface Host {
  /** Stable name of the host in logs, metrics and reports: its first name. Unique in a snapshot. */
  readonly id: string;
  readonly names: readonly string[];
  /** PEM; the certificate with its chain. */
  readonly certificate: { readonly cert: string; readonly key: string };
  readonly stapling: Stapling | null;
  readonly clientAuth: HostClientAuth;
  readonly policy: Policy | null;
  /** Of requests that come to none of its routes. */
  readonly reports: Reports;
  readonly routes: RouteTable;
  /**
   * The host or one of its routes has a policy, or a route asks for certificates in its own way: then a path
   * that a backend may read differently is refused on all of the host, because the other reading may be the
   * one that is better guarded.
   */
  readonly judgesPaths: boolean;
}

/** What client certificates are verified against. */
export interface Trust {
  /** PEM of the CA certificates. */
  readonly ca: string;
  /** How it is asked whether a CA revoked a certificate, per request; null: not at all. Not part of the key. */
  readonly revocation: Revocation | null;
  /** Intermediates allowed between the client's certificate and its anchor. */
  readonly verifyDepth: number;
  /** Responders are asked about certificates that are proven; null: they are not. */
  readonly ocsp: OcspSettings | null;
  /** SHA-256 over the above but `revocation`: what a connection was verified against is compared by it. */
  readonly key: string;
}

export interface OcspSettings {
  /** Certificates of which nothing is known: `soft` lets them pass. */
  readonly mode: 'soft' | 'hard';
  /** An http URL in place of the one that the certificate names; null: that one. */
  readonly responder: string | null;
  readonly timeoutMs: number;
  /** Milliseconds for which an answer counts at most, whatever its nextUpdate. */
  readonly maxAgeMs: number;
}

/** What is stapled to a host's certificate: what its responder says, or what a file does (DER in base64). */
export type Stapling =
  { readonly kind: 'fetched' } | { readonly kind: 'file'; readonly response: string; readonly file: string };

/** How a route, or a host where no route matches, asks for client certificates. */
export interface ClientAuth {
  readonly mode: ClientAuthMode;
  /** Null only with mode `off`. */
  readonly trust: Trust | null;
}

/** How a host asks: its own mode and trust store, and what its routes' make of the handshake. */
export interface HostClientAuth extends ClientAuth {
  /** End the connection of a client that is not authorised, instead of answering it. Its routes are as strict. */
  readonly strict: boolean;
  /** Every trust store of the host and its routes, each once. Empty: no certificate is asked for. */
  readonly stores: readonly Trust[];
  /** The same, and those of one key that ask about revocation in several ways, each once. */
  readonly trusts: readonly Trust[];
  /**
   * SHA-256 over mode, strictness and own trust store; null where no certificate is asked for. A connection
   * counts for a host only while its key is the host's: a changed mode makes older connections worthless.
   */
  readonly key: string | null;
  /** SHA-256 over `key` and all stores: sessions are resumed only while it stays the same. Null with `key`. */
  readonly handshakeKey: string | null;
}

export interface Route {
  /** `host id + path type + path`: the route in logs and metrics. Unique in a snapshot. */
  readonly id: string;
  readonly hostId: string;
  readonly path: string;
  readonly pathType: PathType;
  /** The path as a regular expression; only with the path type Regex. */
  readonly pattern: PathPattern | null;
  /** Its own, or the host's. */
  readonly clientAuth: ClientAuth;
  readonly policy: Policy | null;
  readonly reports: Reports;
  readonly access: Access | null;
  readonly rateLimit: RateLimit | null;
  /** Null: CORS is left to the upstream. */
  readonly cors: Cors | null;
  readonly errorPages: ErrorPages | null;
  readonly response: ResponseEdits | null;
  /** Headers that are set on the request to the upstream: lower-case name, to name and value as written. */
  readonly requestHeaders: ReadonlyMap<string, readonly [name: string, value: string]>;
  readonly accessLog: boolean;
  /** The Ingress that it stands for; null: none. */
  readonly ingress: RouteOrigin | null;
  /** Plain requests for it may take the express lane: nothing it wants needs more than their heads. */
  readonly express: boolean;
  /** What we answer ourselves; null: the request is forwarded. */
  readonly answer: RouteAnswer | null;
  /** Where requests go; empty only where `answer` is given. */
  readonly upstream: string;
  /** Where some of them go instead. */
  readonly canaries: readonly Canary[];
  readonly affinity: Affinity | null;
  readonly retry: RetryRules;
  /** A request's body is read whole, where it is small enough, before the upstream is asked. */
  readonly bufferRequest: boolean;
  /** Bytes of a response's head; Infinity: as many as there may be at all. */
  readonly responseHeadLimit: number;
  /** No connection to the upstream carries two requests. */
  readonly closesConnections: boolean;
  readonly mirror: Mirror | null;
  /** The path that the upstream gets, and where it has a `?`, arguments before the request's own; null: as it came. */
  readonly rewrite: TargetTemplate | null;
  /** The Host that the upstream gets; null: as the client sent it. */
  readonly upstreamHost: string | null;
  /** What a request over plain HTTP gets. `serve` only where no client certificate is asked for. */
  readonly plainHttp: PlainHttp;
  readonly httpsRedirect: { readonly status: number; readonly stripTrailingSlash: boolean };
  readonly identityHeaders: IdentityHeaders;
  readonly timeouts: Timeouts;
  /** Bytes; Infinity for none. */
  readonly bodyLimit: number;
  /** Upgrade protocols to tunnel, lower case. */
  readonly upgrade: readonly string[];
}

/** Labels of metrics, and nothing else. */
export interface RouteOrigin {
  readonly namespace: string;
  readonly name: string;
  /** Empty: it leads to none. */
  readonly service: string;
}

/** Where copies of a route's requests go. */
export interface Mirror {
  readonly upstream: string;
  /** Null: as the original has it. */
  readonly host: string | null;
  readonly body: boolean;
}

/** An answer without an upstream. */
export type RouteAnswer =
  | {
      readonly kind: 'redirect';
      readonly status: number;
      readonly to: TargetTemplate;
      /** The template gets a path without the slash at its end, where no arguments follow. */
      readonly stripTrailingSlash: boolean;
    }
  /** `body` null: the page that goes with the status. */
  | {
      readonly kind: 'respond';
      readonly status: number;
      readonly contentType: string;
      readonly body: string | null;
    };

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
  readonly balance: 'round_robin' | 'least_connections' | 'ewma';
  /** Requests with a key go to where it leads, whatever `balance` says; null: none has one. */
  readonly hash: { readonly template: KeyTemplate; readonly subset: number } | null;
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
  /** Otherwise the name is verified, but not sent. */
  readonly sendServerName: boolean;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly maxVersion: 'TLSv1.2' | 'TLSv1.3';
  /** By OpenSSL's names; null: the runtime's. */
  readonly ciphers: readonly string[] | null;
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
