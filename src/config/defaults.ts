import type { Dialect } from './schema.ts';
import type { Health, Limits, Timeouts, Upstream } from '../snapshot/snapshot.ts';

/**
 * Every number that holds where the configuration says nothing. They are ingress-nginx's; nginx's where it
 * has none; another proxy's, named beside it, where nginx has none either.
 */

/** Route timeouts: proxy-connect-timeout 5, proxy-send-timeout 60, proxy-read-timeout 60. */
const timeouts: Timeouts = { connectMs: 5000, sendMs: 60_000, readMs: 60_000 };

const limits: Limits = {
  // nginx gives a handshake client_header_timeout (60 s). Shorter would break people: a browser may hold
  // the handshake open while its user picks a certificate and types a PIN.
  handshakeTimeoutMs: 60_000,
  // nginx bounds only connections. A stalled handshake costs some 50 kB: a flood of them stays near 50 MB.
  handshakes: 1024,
  // nginx has none: half of all, so that no one address can take everything. A NAT or a balancer in front that
  // hides its clients is one address.
  handshakesPerAddress: 512,
  // max-worker-connections, 16384 per worker.
  connections: 16_384,
  // limit-connections is off there: half of all, as above.
  connectionsPerAddress: 8192,
  // large-client-header-buffers 4 8k.
  headSize: 4 * 8 * 1024,
  // nginx bounds heads by size alone. Envoy's max_headers_count and Apache's LimitRequestFields: 100.
  headerCount: 100,
  // client-header-timeout 60.
  headTimeoutMs: 60_000,
  // client-body-timeout 60, between two reads.
  bodyTimeoutMs: 60_000,
  // keep-alive 75.
  keepAliveTimeoutMs: 75_000,
  // keep-alive-requests 1000.
  keepAliveRequests: 1000,
};

/** upstream-keepalive-connections 320, upstream-keepalive-timeout 60. */
const upstreamKeepAlive: Upstream['keepAlive'] = { connections: 320, timeoutMs: 60_000 };

/**
 * ingress-nginx never leaves an endpoint out; nginx does for 10 s (fail_timeout), after a single failure
 * (max_fails=1), which punishes an endpoint for one client's broken connection: hence three. The longest time is
 * Envoy's max_ejection_time.
 */
const ejection: Upstream['ejection'] = { failures: 3, durationMs: 10_000, maxDurationMs: 300_000 };

/** nginx's commercial health_check: every 5 s, within proxy_connect_timeout. HAProxy's rise 2, fall 3. */
const health: Omit<Health, 'path' | 'host'> = {
  intervalMs: 5000,
  timeoutMs: 5000,
  healthyAfter: 2,
  unhealthyAfter: 3,
};

const dialects: readonly Dialect[] = ['nginx'];

export const defaults = deepFreeze({
  /** Where https and http listen: every IPv4 address, as `listen 443` does. For IPv6 as well, write `::`. */
  address: '0.0.0.0',
  /** proxy-protocol-header-timeout 5s. */
  proxyProtocolTimeoutMs: 5000,
  /** Loopback: the metrics name hosts and routes, and /status says who connects. */
  admin: { address: '127.0.0.1', port: 9090, reading: 'open', changing: 'off', probes: 'open' },
  /** ssl-protocols TLSv1.2 TLSv1.3; ssl-ciphers is Mozilla's intermediate. */
  tlsPreset: 'intermediate',
  /** ssl-session-tickets is false there, but ssl-session-cache is on: sessions are resumed. */
  sessionTickets: true,
  /** nginx's default server answers for every name, and for none. */
  unknownServerName: 'default',
  absentServerName: 'default',
  /** auth-tls-verify-depth 1. */
  verifyDepth: 1,
  /** nginx's ssl_crl: a current CRL of every CA in the chain, or no one comes in. */
  revocation: { check: 'chain', stale: 'deny', missing: 'deny' },
  /** nginx has no limit for the answer (its resolver's is 30 s), and keeps it until nextUpdate. */
  ocsp: { timeoutMs: 2000, maxAgeMs: 86_400_000 },
  /** Kubernetes' Prefix: by path segment. */
  pathType: 'Prefix',
  /** temporal-redirect-code 302. */
  redirectStatus: 302,
  /** ssl-redirect true. */
  plainHttp: 'redirect',
  /** limit-burst-multiplier 5, limit-req-status-code 503. */
  rateLimit: { burst: 5, status: 503 },
  /** cors-allow-origin, -methods, -headers, -credentials; cors-max-age 1728000. */
  cors: {
    origins: ['*'],
    methods: ['GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS'],
    headers: [
      'DNT',
      'Keep-Alive',
      'User-Agent',
      'X-Requested-With',
      'If-Modified-Since',
      'Cache-Control',
      'Content-Type',
      'Range',
      'Authorization',
    ],
    credentials: true,
    maxAgeMs: 1_728_000_000,
  },
  /** auth-cache-duration `200 202 401 5m`. */
  authCache: { statuses: [200, 202, 401], durationMs: 300_000 },
  /** http-redirect-code 308. */
  httpsRedirect: { status: 308, stripTrailingSlash: false },
  /** canary-weight-total 100. */
  canaryWeightTotal: 100,
  /** session-cookie-name, affinity-mode, affinity-canary-behavior. */
  affinity: { cookie: 'INGRESSCOOKIE', mode: 'balanced', canary: 'sticky' },
  balance: 'round_robin',
  dialects,
  timeouts,
  /** proxy-body-size 1m. */
  bodyLimit: 1024 ** 2,
  /** ingress-nginx passes every Upgrade on; WebSocket is what it was made for. */
  upgrade: ['websocket'],
  limits,
  upstreamKeepAlive,
  /** proxy-next-upstream-tries 3. */
  tries: 3,
  ejection,
  health,
  /** --shutdown-grace-period 0, worker-shutdown-timeout 240s. */
  shutdown: { delayMs: 0, graceMs: 240_000 },
  /** nginx ends no connection of the old workers that is in use. */
  onTrustEnd: 'next_request',
  accessLog: true,
  /** Its names, twice as many series: only for those who come from it. */
  ingressNginxNames: false,
  expressLane: true,
  /** nginx keeps none. Some 1.5 kB each, 7 at most. */
  denials: { keep: 1000, bytes: 4 * 1024 ** 2 },
  /** Some 1 kB each. */
  inventory: { keep: 10_000 },
  /** worker-processes is auto there; a process of ours takes some 100 MB, and one core is enough for most. */
  workers: 1,
  reusePort: false,
});

/** One default set by a passing caller would be everyone's. */
function deepFreeze<const T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  }
  return Object.freeze(value);
}
