import { normaliseHostName } from '../snapshot/host-name.ts';
import type { Backend, EndpointGroup, PortRef, Service, ServicePort } from './object.ts';
import type { ObjectSet } from './object-set.ts';
import type { TranslateOptions } from './options.ts';

/** The endpoints of a Service's port, as `address:port`. None, and why, where there are none. */
export interface ResolvedBackend {
  readonly endpoints: readonly string[];
  /** What keeps it from having endpoints. */
  readonly fault?: string;
}

/** `--resolve`: `namespace/service` or `namespace/service:port`, to endpoints. */
export type Resolve = ReadonlyMap<string, readonly string[]>;

/**
 * The endpoints behind a backend: told by `--resolve`, or those of its Service, by its EndpointSlices and Endpoints.
 * An ExternalName stands for itself. With `clusterIp` (service-upstream) the Service's own address is the endpoint.
 */
export function resolveBackend(
  namespace: string,
  { service: name, port }: Backend,
  objects: ObjectSet,
  { resolve, zone }: Pick<TranslateOptions, 'resolve' | 'zone'>,
  clusterIp: boolean,
): ResolvedBackend {
  const key = `${namespace}/${name}`;
  const told = resolve.get(`${key}:${port}`) ?? resolve.get(key);
  if (told !== undefined) return { endpoints: told };
  const service = objects.services.get(key);
  const hint = `or tell where it is with --resolve ${key}=HOST:PORT`;
  if (service === undefined) {
    return {
      endpoints: [],
      fault: `there is no Service ${key}: every request is answered 503; add it, ${hint}`,
    };
  }
  if (service.type === 'ExternalName') return externalName(service, port);
  const servicePort = service.ports.find(
    (candidate) =>
      candidate.port === port ||
      String(candidate.targetPort) === String(port) ||
      (candidate.name !== '' && candidate.name === port),
  );
  if (servicePort === undefined) {
    return { endpoints: [], fault: `the Service ${key} has no port ${port}: every request is answered 503` };
  }
  if (clusterIp) {
    if (service.clusterIp !== null) return { endpoints: [join(service.clusterIp, servicePort.port)] };
    return { endpoints: [], fault: `the Service ${key} has no clusterIP, which service-upstream asks for` };
  }
  const endpoints = addressesOf(objects.endpoints.get(key) ?? [], servicePort, zone);
  if (endpoints.length > 0) return { endpoints };
  return {
    endpoints,
    fault: `the Service ${key} has no endpoints that are ready: every request is answered 503; add an EndpointSlice, ${hint}`,
  };
}

/** A loopback name would be the proxy itself, with its admin listener (as ingress-nginx refuses it). `host`: normalised. */
export function isThisMachine(host: string): boolean {
  return /^(?:(?:.*\.)?localhost|localhost\..*|127\..*|0\.0\.0\.0|::1?|::ffff:(?:127\.|7f|0\.0\.0\.0|0:0).*)$/.test(
    host,
  );
}

function externalName(
  { externalName: text, ports, namespace, name }: Service,
  port: PortRef,
): ResolvedBackend {
  const where = `the Service ${namespace}/${name}`;
  const host = normaliseHostName(text ?? '');
  if (host === null) return { endpoints: [], fault: `${where} has no externalName that is a host name` };
  if (isThisMachine(host)) {
    return {
      endpoints: [],
      fault: `${where} points its externalName at this machine itself, which is refused`,
    };
  }
  const found = ports.find((candidate) => candidate.port === port || candidate.name === port);
  const target = typeof found?.targetPort === 'number' ? found.targetPort : (found?.port ?? port);
  if (typeof target !== 'number') return { endpoints: [], fault: `${where} has no port ${port}` };
  return { endpoints: [join(host, target)] };
}

/**
 * Those that are ready; with none, those that still serve while they end. Each once, in the order of the objects. Of those that
 * are ready the ones for our zone, if every one has a hint and any is for it (as kube-proxy has it): a hint that is missing
 * means that the hints are not whole yet.
 */
function addressesOf(groups: readonly EndpointGroup[], port: ServicePort, zone: string | null): string[] {
  const [ready, ending, near] = [new Set<string>(), new Set<string>(), new Set<string>()];
  let isHinted = zone !== null;
  // Kubernetes mirrors Endpoints into slices: both would say the same.
  const slices = groups.filter(({ kind }) => kind === 'EndpointSlice');
  for (const { subsets } of slices.length > 0 ? slices : groups) {
    for (const { addresses, ports } of subsets) {
      const targets = targetPorts(ports, port);
      for (const { address, ready: isReady, serving, terminating, zones } of addresses) {
        if (isReady && zones === null) isHinted = false;
        for (const target of targets) {
          if (isReady) {
            ready.add(join(address, target));
            if (zone !== null && zones?.includes(zone) === true) near.add(join(address, target));
          } else if (serving && terminating) ending.add(join(address, target));
        }
      }
    }
  }
  if (isHinted && near.size > 0) return [...near];
  return [...(ready.size > 0 ? ready : ending)];
}

function targetPorts(
  ports: readonly { readonly name: string; readonly port: number; readonly protocol: string }[],
  { name, targetPort }: ServicePort,
): number[] {
  const tcp = ports.filter(({ protocol }) => protocol === 'TCP');
  // No ports at all means: as the Service says.
  if (ports.length === 0) return typeof targetPort === 'number' ? [targetPort] : [];
  // A Service with one port may leave its name out.
  const named = tcp.filter((candidate) => name === '' || candidate.name === name);
  if (named.length > 0) return named.map(({ port }) => port);
  return typeof targetPort === 'number' && tcp.length > 0 ? [targetPort] : [];
}

function join(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
