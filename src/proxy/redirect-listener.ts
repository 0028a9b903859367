import type { Socket } from 'node:net';
import type { Observer } from '../observe/observer.ts';
import type { Connection } from '../snapshot/connection.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { Acceptor } from '../tls/acceptor.ts';
import { plainConnection } from './plain-connection.ts';

/** What the listener needs of the rest. */
export interface RedirectListenerDeps {
  readonly snapshot: () => Snapshot;
  readonly observer: Pick<Observer, 'connectionOpened' | 'connectionClosed' | 'connectionRefused'>;
  readonly accept: (socket: Socket, connection: Connection) => void;
}

/**
 * The plain HTTP listener. Its connections carry no verdict and are marked `http`, which `decide` only ever
 * answers with a redirect or a refusal: nothing is forwarded from here.
 */
export function createRedirectListener(deps: RedirectListenerDeps): Acceptor {
  return new Acceptor({
    listener: 'http',
    observer: deps.observer,
    limits: () => deps.snapshot().limits,
    proxyProtocol: () => deps.snapshot().listeners.http?.proxyProtocol ?? null,
    accept: (socket, client) => deps.accept(socket, plainConnection('http', socket, client)),
  });
}
