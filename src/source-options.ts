import { createFileSource } from './config/file-source.ts';
import type { Source } from './config/source.ts';
import {
  type ClusterFlags,
  clusterFlags,
  clusterUsage,
  createKubernetesSource,
} from './ingress/kubernetes/serve-options.ts';
import { withAdminTokens } from './ingress/admin-tokens.ts';
import { createManifestSource } from './ingress/manifest-source.ts';
import type { Observability } from './observe/observe.ts';
import { manifestFlags, manifestUsage, readManifestFlags } from './ingress/serve-options.ts';

/** The flags that say where configuration comes from, for `parseArgs`. */
export const sourceFlags = { config: { type: 'string' }, ...manifestFlags, ...clusterFlags } as const;

/** The lines of a help about them, but for --config. */
export const sourceUsage = `${manifestUsage}${clusterUsage}`;

/**
 * The configuration that a command line names with --config, --manifests or --kubernetes, or what is wrong with it.
 *
 * @param observe Takes what a source has to say between loads, asked for when it is needed.
 */
export function sourceOf(
  values: ClusterFlags & { readonly config?: string },
  observe: (() => Pick<Observability, 'log' | 'metrics'>) | null = null,
): Source | string {
  const { config, manifests, kubernetes } = values;
  const given = [config, manifests, kubernetes === true ? '' : undefined].filter(
    (value) => value !== undefined,
  );
  if (given.length === 0) return 'which configuration? Give --config FILE, --manifests PATH or --kubernetes';
  if (given.length > 1) return 'give --config, --manifests or --kubernetes, only one of them';
  const has = (name: string): boolean => Object.hasOwn(values, name);
  const guarded = (source: Source | string): Source | string => {
    const tokens = values['admin-tokens'];
    return typeof source === 'string' || tokens === undefined ? source : withAdminTokens(source, tokens);
  };
  if (kubernetes === true) return guarded(createKubernetesSource(values, observe));
  const stray = Object.keys(clusterFlags).find(has);
  if (stray !== undefined) return `--${stray} goes with --kubernetes`;
  if (config !== undefined) {
    const other = Object.keys(manifestFlags).find(has);
    return other === undefined ? createFileSource(config) : `--${other} goes with --manifests`;
  }
  const options = readManifestFlags(values);
  return guarded('fault' in options ? options.fault : createManifestSource(manifests!, options));
}
