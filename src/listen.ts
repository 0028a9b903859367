import type { AddressInfo, Server } from 'node:net';
import type { ListenAddress } from './snapshot/snapshot.ts';

/** Has a server listen; port 0 is one that is free. Rejects with the system's error (EADDRINUSE, EACCES …). */
export async function listenOn(server: Server, { address, port }: ListenAddress): Promise<AddressInfo> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  // A failing accept (EMFILE) must not end the process.
  server.on('error', () => {});
  return server.address() as AddressInfo;
}
