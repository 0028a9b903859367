import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, type Rig } from '../rig.ts';

/** Bytes of the pages that the origin has, by path. */
export const pages: Readonly<Record<string, number>> = { '/100': 100, '/10k': 10_240, '/1m': 1_048_576 };

/**
 * A plain nginx with pages of several sizes; an upload to /up is answered once it is there whole; 404 is what it says of
 * the rest.
 * @returns Its port.
 */
export async function startOrigin(rig: Rig): Promise<number> {
  const [port, sink] = [await freePort(), await freePort()];
  const root = join(rig.dir, 'pages');
  mkdirSync(root);
  for (const [path, size] of Object.entries(pages)) writeFileSync(join(root, path), Buffer.alloc(size, 'x'));
  // nginx's worker is another user where its master is root.
  chmodSync(rig.dir, 0o711);
  await rig.startNginx(
    0,
    'origin',
    port,
    `log_not_found off; client_max_body_size 10m; client_body_buffer_size 2m; open_file_cache max=10; sendfile on; default_type text/plain;
server { listen 127.0.0.1:${port}; root ${root}; location /up { proxy_pass http://127.0.0.1:${sink}; proxy_set_body ok; }
location /many { return 200 "${'x'.repeat(100)}"; } }
server { listen 127.0.0.1:${sink}; return 200 ok; }`,
  );
  return port;
}
