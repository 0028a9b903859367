import { resolve } from 'node:path';
import { readBounded } from '../config/read-file.ts';
import type { Changed, Loaded, Source, Unloadable } from '../config/source.ts';
import { watchFiles } from '../config/watch.ts';
import { makeDefaultCertificate } from './default-certificate.ts';

/** Room for the most tokens that there may be, with comments. */
const maxBytes = 1024 ** 2;

const names = { tokens: 'admin/tokens', cert: 'admin/certificate', key: 'admin/key' };

/**
 * A source whose admin listener is read by whoever shows a token of a file, over TLS: a Prometheus that comes from elsewhere.
 * Its certificate is made at the start and signed by nobody. Without the file, or with one that holds no good token, nothing
 * new is taken over, and the program does not start.
 */
export function withAdminTokens(source: Source, path: string): Source {
  const file = resolve(path);
  let certificate: ReturnType<typeof makeDefaultCertificate> | null = null;
  let readAt = Date.now();
  return {
    async load(changed?: Changed | null): Promise<Loaded | Unloadable> {
      const loaded = await source.load(changed);
      if (!loaded.ok) return loaded;
      const began = Date.now();
      const [read, { cert, key }] = await Promise.all([
        readBounded(file, maxBytes),
        (certificate ??= makeDefaultCertificate()),
      ]);
      readAt = began;
      if ('fault' in read) return { ok: false, problems: [`${file}:1:1 / ${read.fault}`] };
      const { listeners } = loaded.config;
      const material = new Map(loaded.material);
      material.set(names.tokens, read.bytes.toString('utf8'));
      material.set(names.cert, cert);
      material.set(names.key, key);
      return {
        ...loaded,
        material,
        config: {
          ...loaded.config,
          listeners: {
            ...listeners,
            admin: {
              port: 9090,
              ...listeners.admin,
              certificate: { cert: names.cert, key: names.key },
              reading: { token: names.tokens },
            },
          },
        },
      };
    },
    watch(onChange) {
      const objects = source.watch(onChange);
      const tokens = watchFiles(
        () => [file],
        () => onChange(),
        { readAt: () => readAt },
      );
      return {
        close() {
          objects.close();
          tokens.close();
        },
      };
    },
    status: () => source.status?.(),
    close: async () => source.close?.(),
  };
}
