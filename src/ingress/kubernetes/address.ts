import { isIP } from 'node:net';
import { isSubdomain } from '../read-meta.ts';

/** An entry of `status.loadBalancer.ingress`: where clients come in. */
export type Address = { readonly ip: string } | { readonly hostname: string };

/** Addresses of one Service or status that are looked at. */
const maxAddresses = 100;

/** An address as people write it; null for what is neither an IP address nor a name. */
export function addressOf(text: string): Address | null {
  if (isIP(text) !== 0) return { ip: text };
  return isSubdomain(text) ? { hostname: text } : null;
}

/** The entries of a `status` of a Service or an Ingress, without what cannot be read. One may have both an IP address and a name. */
export function readAddresses(status: unknown): Address[] {
  const { loadBalancer } = mapOf(status);
  const { ingress } = mapOf(loadBalancer);
  return listOf(ingress).flatMap((entry) => {
    const { ip, hostname } = mapOf(entry);
    return [
      ...(typeof ip === 'string' && isIP(ip) !== 0 ? [{ ip }] : []),
      ...(typeof hostname === 'string' && isSubdomain(hostname) ? [{ hostname }] : []),
    ];
  });
}

/** Where a Service is reached from outside, by its type, as ingress-nginx publishes it. Empty: nowhere yet. */
export function addressesOfService(service: unknown): Address[] {
  const { spec, status } = mapOf(service);
  const { type, clusterIP, externalName, externalIPs } = mapOf(spec);
  const named = (text: unknown): Address[] => {
    const address = typeof text === 'string' ? addressOf(text) : null;
    return address === null ? [] : [address];
  };
  const external = listOf(externalIPs).flatMap((one) =>
    typeof one === 'string' && isIP(one) !== 0 ? [{ ip: one }] : [],
  );
  // `None` of a headless Service is no address.
  const inside = typeof clusterIP === 'string' && isIP(clusterIP) !== 0 ? [{ ip: clusterIP }] : [];
  switch (type) {
    case 'ExternalName':
      return named(externalName);
    case 'LoadBalancer':
      return distinct([...readAddresses(status), ...external]);
    case 'NodePort':
      return external.length > 0 ? distinct(external) : inside;
    default:
      return inside;
  }
}

/** The same for the same addresses in any order. */
export function printOfAddresses(addresses: readonly Address[]): string {
  return JSON.stringify(distinct(addresses).map(keyOfAddress).sort());
}

/** Addresses without some of them. */
export function withoutAddresses(addresses: readonly Address[], taken: readonly Address[]): Address[] {
  const keys = new Set(taken.map(keyOfAddress));
  return addresses.filter((address) => !keys.has(keyOfAddress(address)));
}

function distinct(addresses: readonly Address[]): Address[] {
  return [...new Map(addresses.map((address) => [keyOfAddress(address), address])).values()];
}

function keyOfAddress(address: Address): string {
  return 'ip' in address ? `ip ${address.ip}` : `hostname ${address.hostname}`;
}

function mapOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value.slice(0, maxAddresses) : [];
}
