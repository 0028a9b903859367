import { stringify } from 'yaml';
import type { Config } from '../../config/schema.ts';
import type { Material } from '../../snapshot/compile.ts';

/** Names of files that a configuration of ours may be given for material: relative, and never out of its folder. */
const safeName = /^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)*[A-Za-z0-9_-][A-Za-z0-9._-]*$/;

/**
 * The native configuration as YAML. Its files are named as the material is: `secret/NAMESPACE/NAME/KEY`, relative to
 * where it stands. The comment says how to get them.
 */
export function nativeYaml(config: Config, material: Material): string {
  const yaml = stringify(config, { lineWidth: 0, aliasDuplicateObjects: false });
  const files = [...material.keys()].sort();
  const lines = [
    'Native configuration for the same routes: mtls-ingress serve --config FILE',
    '',
    'It names these files; --out DIR writes them beside it, readable by you alone. By hand, of a Secret in a cluster:',
    '  kubectl get secret -n NAMESPACE NAME -o go-template=\'{{index .data "KEY" | base64decode}}\'',
    ...files.map(
      (name) =>
        `  ${name}${name.startsWith('default/') ? '   (self-signed, for hosts without a certificate)' : ''}`,
    ),
  ];
  return `${lines.map((line) => `# ${line}`.trimEnd()).join('\n')}\n${yaml}`;
}

/** One file to be written. */
export interface NativeFile {
  /** Relative to the folder. */
  readonly name: string;
  readonly contents: string;
}

/** The configuration, and all that it names. Throws where a name would lead out of the folder. */
export function nativeFiles(config: Config, material: Material): NativeFile[] {
  for (const name of material.keys()) {
    if (!safeName.test(name)) throw new Error(`the file name ${JSON.stringify(name)} leads astray`);
  }
  return [
    ...Array.from(material, ([name, contents]) => ({ name, contents })),
    { name: 'mtls-ingress.yaml', contents: nativeYaml(config, material) },
  ];
}
