import { quote } from '../config/text.ts';
import { parseIpAddress } from '../tls/ip-address.ts';
import type { Fields } from './fields.ts';
import type { EndpointAddress, EndpointGroup, EndpointSubset } from './object.ts';
import type { Meta } from './read-meta.ts';

/** An EndpointSlice's label that names its Service. */
const serviceLabel = 'kubernetes.io/service-name';

/** Conditions that are absent mean ready, as Kubernetes has it. */
export function readEndpointSlice(meta: Meta, object: Fields): EndpointGroup {
  const addresses = object.maps('endpoints').flatMap((endpoint) => {
    const conditions = endpoint.map('conditions');
    const ready = conditions.boolean('ready') ?? true;
    const state = {
      ready,
      serving: conditions.boolean('serving') ?? ready,
      terminating: conditions.boolean('terminating') ?? false,
      zones: zonesOf(endpoint.map('hints')),
    };
    return endpoint.texts('addresses').flatMap((address, index) => {
      return addressOf(address, `${endpoint.at('addresses')}/${index}`, endpoint, state);
    });
  });
  const subset = Object.freeze({ addresses: Object.freeze(addresses), ports: ports(object) });
  return group(meta, 'EndpointSlice', meta.labels.get(serviceLabel) ?? '', [subset]);
}

/** An Endpoints object is named like its Service. */
export function readEndpoints(meta: Meta, object: Fields): EndpointGroup {
  const subsets = object.maps('subsets').map((subset) => {
    const read = (key: string, ready: boolean): EndpointAddress[] =>
      subset.maps(key).flatMap((address) =>
        addressOf(address.text('ip') ?? '', address.at('ip'), address, {
          ready,
          serving: ready,
          terminating: false,
          zones: null,
        }),
      );
    return Object.freeze({
      addresses: Object.freeze([...read('addresses', true), ...read('notReadyAddresses', false)]),
      ports: ports(subset),
    });
  });
  return group(meta, 'Endpoints', meta.base.name, subsets);
}

/** The API server allows eight. */
const maxZones = 8;

function zonesOf(hints: Fields): readonly string[] | null {
  const zones = hints.maps('forZones').flatMap((zone) => zone.text('name') ?? []);
  return zones.length === 0 ? null : Object.freeze(zones.slice(0, maxZones));
}

function group(
  { base }: Meta,
  kind: EndpointGroup['kind'],
  service: string,
  subsets: readonly EndpointSubset[],
): EndpointGroup {
  return Object.freeze({
    kind,
    ...base,
    service,
    subsets: Object.freeze(subsets),
  });
}

function addressOf(
  address: string,
  path: string,
  { findings }: Fields,
  state: Omit<EndpointAddress, 'address'>,
): EndpointAddress[] {
  if (parseIpAddress(address) !== null) return [Object.freeze({ address, ...state })];
  findings.error(path, `${quote(address)} is no IP address`);
  return [];
}

function ports(fields: Fields): EndpointSubset['ports'] {
  return Object.freeze(
    fields.maps('ports').flatMap((port) => {
      const number = port.port('port');
      if (number === null) return [];
      return [
        Object.freeze({
          name: port.text('name') ?? '',
          port: number,
          protocol: port.text('protocol') ?? 'TCP',
        }),
      ];
    }),
  );
}
