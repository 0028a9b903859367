import { createHostTable } from '../../src/snapshot/host-table.ts';
import type { Host, Snapshot, Upstream } from '../../src/snapshot/snapshot.ts';

/** A compiled upstream, but for what a test changes. */
export function testUpstream(name: string, changes: Partial<Upstream> = {}): Upstream {
  return {
    name,
    endpoints: [],
    balance: 'round_robin',
    hash: null,
    tls: null,
    health: null,
    ejection: { failures: 3, durationMs: 1, maxDurationMs: 1 },
    tries: 1,
    keepAlive: { connections: 1, timeoutMs: 1 },
    key: name,
    ...changes,
  };
}

/** A snapshot of these hosts, but for what a test changes. */
export function testSnapshot(hosts: readonly Host[], changes: Partial<Snapshot> = {}): Snapshot {
  return {
    version: 'abcdef0123456789'.repeat(4),
    listeners: {
      https: { address: '127.0.0.1', port: 0, proxyProtocol: null },
      http: null,
      admin: {
        address: '127.0.0.1',
        port: 0,
        access: { reading: 'open', changing: 'off', probes: 'open' },
        host: null,
      },
      reusePort: false,
    },
    minVersion: 'TLSv1.2',
    sessionTickets: true,
    hosts: createHostTable(hosts),
    defaultHost: hosts[0]!,
    standIn: { unknown: 'default', absent: 'default' },
    denyList: null,
    upstreams: new Map(),
    identityHeaderNames: new Set(),
    forwarded: { trust: null, append: false },
    limits: {
      handshakeTimeoutMs: 1,
      handshakes: 1,
      handshakesPerAddress: 1,
      connections: 1,
      connectionsPerAddress: 1,
      headSize: 1,
      headerCount: 1,
      headTimeoutMs: 1,
      bodyTimeoutMs: 1,
      keepAliveTimeoutMs: 1,
      keepAliveRequests: 1,
    },
    crypto: { ciphers: ['TLS_AES_256_GCM_SHA384'], groups: null, signatureAlgorithms: null },
    shutdown: { delayMs: 0, graceMs: 0 },
    onTrustEnd: 'next_request',
    accessLog: true,
    ingressNginxNames: false,
    expressLane: false,
    denials: { keep: 1000, bytes: 4 * 1024 ** 2 },
    inventory: { keep: 10_000, file: null },
    workers: 1,
    ...changes,
  };
}
