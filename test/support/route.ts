import { enforced } from '../../src/snapshot/report.ts';
import { usualRetry } from '../../src/snapshot/retry.ts';
import type { Route } from '../../src/snapshot/snapshot.ts';

/** A compiled route that forwards everything below its path to the upstream `backend`, but for what a test changes. */
export function testRoute(hostId: string, path = '/', changes: Partial<Route> = {}): Route {
  return {
    id: `${hostId} ${changes.pathType ?? 'Prefix'} ${path}`,
    hostId,
    path,
    pathType: 'Prefix',
    pattern: null,
    clientAuth: { mode: 'off', trust: null },
    policy: null,
    reports: enforced,
    access: null,
    rateLimit: null,
    cors: null,
    errorPages: null,
    response: null,
    requestHeaders: new Map(),
    accessLog: true,
    ingress: null,
    express: false,
    answer: null,
    upstream: 'backend',
    canaries: [],
    affinity: null,
    retry: usualRetry,
    bufferRequest: false,
    responseHeadLimit: Infinity,
    closesConnections: false,
    mirror: null,
    rewrite: null,
    upstreamHost: null,
    plainHttp: 'redirect',
    httpsRedirect: { status: 308, stripTrailingSlash: false },
    identityHeaders: { dialects: [], certificate: false, templates: new Map() },
    timeouts: { connectMs: 1, sendMs: 1, readMs: 1 },
    bodyLimit: Infinity,
    upgrade: [],
    ...changes,
  };
}
