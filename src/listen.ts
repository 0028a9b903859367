import type { AddressInfo, Server } from 'node:net';
import type { ListenAddress } from './snapshot/snapshot.ts';

/** Where to listen, and how. */
export interface ListenTarget extends ListenAddress {
  /** Other processes of the same user may listen there too (SO_REUSEPORT). */
  readonly reusePort?: boolean;
  /** A socket that is bound to this address already. */
  readonly fd?: number;
}

/** Has a server listen; port 0 is one that is free. Rejects with the system's error (EADDRINUSE, EACCES …). */
export async function listenOn(server: Server, target: ListenTarget): Promise<AddressInfo> {
  const { address, port, reusePort = false, fd } = target;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(fd === undefined ? { host: address, port, reusePort } : { fd }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  // A failing accept (EMFILE) must not end the process.
  server.on('error', () => {});
  return server.address() as AddressInfo;
}
