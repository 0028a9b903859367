import type { Socket } from 'node:net';
import type { RetryRules } from '../../snapshot/retry.ts';
import { UpstreamError } from './failure.ts';
import type { LiveUpstream } from './live-upstream.ts';
import type { Preference, UpstreamFailure } from './outbound.ts';
import { mayRetry } from './retry.ts';
import { noEndpoint, Tries } from './tries.ts';

/** A connection of its own to one of an upstream's endpoints, for an upgraded connection to run through. */
export interface Tunnel {
  /** Connected and, for TLS, verified. Nothing has been written or read. Its errors are the holder's to see. */
  readonly socket: Socket;
  /** `Endpoint.name`. */
  readonly endpoint: string;
  /**
   * To be called when the tunnel is done with; destroys the socket if that has not happened. A failure that the
   * endpoint is to blame for counts towards its ejection. Further calls do nothing.
   */
  readonly release: (failure?: UpstreamFailure) => void;
}

/**
 * Connects to the first of its endpoints that lets us, as many as the rules say. Nothing is sent, so trying is always safe.
 * Rejects with an UpstreamError, or with the signal's reason when that is aborted.
 *
 * @param connectMs - for each endpoint, TLS included
 */
export function openTunnel(
  upstream: LiveUpstream,
  connectMs: number,
  signal: AbortSignal | undefined,
  preference: Preference | null,
  rules: RetryRules,
): Promise<Tunnel> {
  const tries = new Tries(upstream, preference, rules.tries);
  const standing = { idempotent: true, unsent: true, spent: false, answered: false, told: false };
  return new Promise((resolve, reject) => {
    let one = tries.next();
    let cancel = (): void => {};

    const giveUp = (): void => {
      cancel();
      if (one !== null) tries.done(one);
      reject(signal!.reason as Error);
    };
    const fail = (why: UpstreamFailure): void => {
      signal?.removeEventListener('abort', giveUp);
      reject(new UpstreamError(why));
    };
    const dial = (): void => {
      const endpoint = one;
      if (endpoint === null) return fail(noEndpoint(upstream.upstream.name));
      cancel = endpoint.dialer.dial(connectMs, (failure, socket) => {
        if (socket === null) {
          upstream.failed(endpoint);
          one = mayRetry(rules, failure!, standing) ? tries.another(failure!) : null;
          tries.done(endpoint);
          return one === null ? fail(failure!) : dial();
        }
        signal?.removeEventListener('abort', giveUp);
        let released = false;
        const release = (why?: UpstreamFailure): void => {
          if (released) return;
          released = true;
          socket.destroy();
          tries.done(endpoint);
          if (why === undefined) upstream.succeeded(endpoint);
          else upstream.failed(endpoint);
        };
        resolve({ socket, endpoint: endpoint.name, release });
      });
    };
    signal?.addEventListener('abort', giveUp, { once: true });
    if (signal?.aborted === true) giveUp();
    else dial();
  });
}
