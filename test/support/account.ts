import type { TestCluster } from './cluster.ts';

/** A kubeconfig with a token of the account that deploy/ gives the controller, as a Pod has it. */
export async function asController(cluster: TestCluster): Promise<string> {
  const text = await cluster.kubectl([
    'get',
    'serviceaccount',
    'mtls-ingress',
    '-n',
    'mtls-ingress',
    '-o',
    'json',
  ]);
  const { metadata } = JSON.parse(text) as { metadata: { uid: string } };
  return cluster.writeKubeconfig('controller', {
    token: cluster.token('mtls-ingress', 'mtls-ingress', metadata.uid, 3600),
  });
}
