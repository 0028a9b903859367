import { createFileSource } from './config/file-source.ts';
import type { Source } from './config/source.ts';
import { createManifestSource } from './ingress/manifest-source.ts';
import { manifestFlags, type ManifestFlags, readManifestFlags } from './ingress/serve-options.ts';

/** The configuration that a command line names with --config or --manifests, or what is wrong with it. */
export function sourceOf(values: ManifestFlags & { readonly config?: string }): Source | string {
  const { config, manifests } = values;
  if ((config === undefined) === (manifests === undefined)) {
    return config === undefined
      ? 'which configuration? Give --config FILE or --manifests PATH'
      : 'give --config or --manifests, not both';
  }
  if (config !== undefined) {
    const stray = Object.keys(manifestFlags).find((name) => Object.hasOwn(values, name));
    return stray === undefined ? createFileSource(config) : `--${stray} goes with --manifests`;
  }
  const options = readManifestFlags(values);
  return 'fault' in options ? options.fault : createManifestSource(manifests!, options);
}
