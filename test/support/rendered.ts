import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseAllDocuments } from 'yaml';

/** An object as it would be applied, with what the tests look at. */
export interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly [key: string]: unknown;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts?: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly readOnly?: boolean;
  }[];
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>;
    readonly limits?: Readonly<Record<string, string>>;
  };
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly [key: string]: unknown;
}

export interface PodTemplate {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: {
    readonly serviceAccountName?: string;
    readonly hostNetwork?: boolean;
    readonly securityContext?: Readonly<Record<string, unknown>>;
    readonly containers: readonly Container[];
    readonly volumes?: readonly Readonly<Record<string, unknown>>[];
    readonly [key: string]: unknown;
  };
}

/** The objects of a text of YAML. */
export function objectsOf(text: string): Rendered[] {
  return parseAllDocuments(text)
    .map((document) => {
      if (document.errors.length > 0) throw document.errors[0]!;
      return document.toJS() as Rendered | null;
    })
    .filter((object) => object !== null);
}

/** What `kubectl kustomize` makes of a folder. */
export function kustomize(folder: string): Rendered[] {
  const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', folder], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`kubectl kustomize ${folder}: ${stderr}`);
  return objectsOf(stdout);
}

/** The one object of a kind, or the one with a name. */
export function theOne(objects: readonly Rendered[], kind: string, name?: string): Rendered {
  const found = objects.filter(
    (object) => object.kind === kind && (name === undefined || object.metadata.name === name),
  );
  if (found.length !== 1) throw new Error(`${found.length} objects ${kind} ${name ?? ''}`);
  return found[0]!;
}

/** What a Deployment's Pods are made from. */
export function podOf(deployment: Rendered): PodTemplate {
  return (deployment['spec'] as { readonly template: PodTemplate }).template;
}

/** The container that runs our program. */
export function ourContainer(objects: readonly Rendered[]): Container {
  const containers = podOf(theOne(objects, 'Deployment')).spec.containers;
  const ours = containers.find(({ name }) => name === 'mtls-ingress');
  if (ours === undefined) throw new Error('no container of ours');
  return ours;
}

/** What `kubectl kustomize` makes of a folder of ours with components of ours. @param dir An empty one to work in. */
export function kustomizeWith(dir: string, folder: string, components: readonly string[]): Rendered[] {
  const own = join(dir, 'mine');
  mkdirSync(own);
  const from = (path: string): string => relative(own, path);
  const text = JSON.stringify({ resources: [from(folder)], components: components.map(from) });
  writeFileSync(join(own, 'kustomization.yaml'), text);
  return kustomize(own);
}
