import { parseArgs } from 'node:util';
import { join } from 'node:path';
import type { ClusterFlags } from '../../src/ingress/kubernetes/serve-options.ts';
import { sourceFlags } from '../../src/source-options.ts';
import type { TestCluster } from './cluster.ts';
import { kustomize, ourContainer, type Rendered } from './rendered.ts';

/** The folder of what is deployed. */
export const deploy = join(import.meta.dirname, '..', '..', 'deploy');

/** An overlay of ours, rendered. */
export function overlay(name: string): Rendered[] {
  return kustomize(join(deploy, 'kubernetes', 'overlays', name));
}

/** The account that the controller has in a cluster. */
export const account = 'system:serviceaccount:mtls-ingress:mtls-ingress';

/** The same objects in older versions, where the server does not know the newer: their fields that we use are alike. */
const older = { 'policy/v1': 'policy/v1beta1', 'autoscaling/v2': 'autoscaling/v2beta2' } as const;

/** Applies objects, as the server knows them. */
export async function applyRendered(cluster: TestCluster, objects: readonly Rendered[]): Promise<void> {
  const known = new Set((await cluster.kubectl(['api-versions'])).trim().split('\n'));
  const items = objects.map((object) => {
    const other = known.has(object.apiVersion) ? undefined : older[object.apiVersion as keyof typeof older];
    return other === undefined ? object : { ...object, apiVersion: other };
  });
  await cluster.apply(...items);
}

/** What the Deployment tells the controller, but for addresses and ports. */
export function flagsOf(objects: readonly Rendered[]): ClusterFlags {
  const args = (ourContainer(objects).args ?? []).slice(1);
  return parse(args.map((arg) => arg.replace('$(POD_NAMESPACE)', 'mtls-ingress')));
}

function parse(args: readonly string[]): ClusterFlags {
  const { values } = parseArgs({ args: [...args], options: sourceFlags });
  const { address: _address, 'admin-address': _admin, ...rest } = values;
  return {
    ...rest,
    'https-port': '0',
    'http-port': '0',
    'admin-port': '0',
    'validating-webhook': '127.0.0.1:0',
    'validating-webhook-service': 'mtls-ingress/mtls-ingress-webhook',
  };
}
