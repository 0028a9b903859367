import { pointer } from '../config/problem.ts';
import { quote } from '../config/text.ts';
import { createDialer } from '../proxy/upstream/socket.ts';
import type { Endpoint, Snapshot, Upstream } from '../snapshot/snapshot.ts';
import type { PlacedFinding } from './finding.ts';

/** Milliseconds for one endpoint, TLS included. */
const timeoutMs = 3000;
const atOnce = 32;
/** Endpoints tried in all; of more the rest is left out, and that is said. */
const most = 1000;

/** Which endpoints take no connection, or do not prove who they are: tried as requests would be, several at a time. */
export async function upstreamFindings({ upstreams }: Snapshot): Promise<PlacedFinding[]> {
  const all = [...upstreams.values()].flatMap((upstream) =>
    upstream.endpoints.map((endpoint) => ({ upstream, endpoint })),
  );
  const findings: PlacedFinding[] = [];
  const waiting = all.slice(0, most).values();
  const work = async (): Promise<void> => {
    for (const { upstream, endpoint } of waiting) {
      const fault = await dial(endpoint, upstream.tls);
      if (fault !== null) findings.push(findingOf(upstream, endpoint, fault));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, () => work()));
  if (all.length > most) {
    const message = `${all.length - most} endpoints were not tried`;
    findings.push({ severity: 'info', about: 'upstreams', path: '/upstreams', message, fix: '' });
  }
  return findings;
}

/** Null where it answers; else why not. */
function dial(endpoint: Endpoint, tls: Upstream['tls']): Promise<string | null> {
  return new Promise((resolve) => {
    createDialer(endpoint, tls).dial(timeoutMs, (failure, socket) => {
      socket?.on('error', () => {});
      socket?.destroy();
      resolve(failure === null ? null : failure.detail);
    });
  });
}

function findingOf({ name, endpoints }: Upstream, endpoint: Endpoint, fault: string): PlacedFinding {
  return {
    severity: endpoints.length === 1 ? 'error' : 'warning',
    about: 'upstreams',
    path: pointer('upstreams', name),
    message: `endpoint ${endpoint.name} of upstream ${quote(name)} does not answer: ${fault}`,
    fix: 'start it, or see to the address and the network between',
  };
}
