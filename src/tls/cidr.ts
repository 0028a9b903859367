import { formatIpAddress, parseIpAddress, unmapped } from './ip-address.ts';

/** A range of addresses: all that share the first `bits` bits with `octets`. */
export interface Cidr {
  /** 4 or 16; those behind `bits` are 0. */
  readonly octets: Uint8Array;
  readonly bits: number;
  /** The text had bits set behind `bits`: nginx warns of them and leaves them out, and so does this. */
  readonly hasHostBits: boolean;
}

/**
 * Reads `10.0.0.0/8`, `2001:db8::/32`, or an address alone, which is a range of one; null where it is neither.
 * A range within `::ffff:0:0/96` is the one of IPv4 that it maps.
 */
export function parseCidr(text: string): Cidr | null {
  const slash = text.indexOf('/');
  const written = parseIpAddress(slash === -1 ? text : text.slice(0, slash));
  if (written === null) return null;
  const size = slash === -1 ? String(written.length * 8) : text.slice(slash + 1);
  if (!/^(?:0|[1-9][0-9]{0,2})$/.test(size) || Number(size) > written.length * 8) return null;
  const isMapped = Number(size) >= 96 && unmapped(written).length < written.length;
  const address = isMapped ? unmapped(written) : written;
  const bits = Number(size) - (isMapped ? 96 : 0);
  const octets = masked(address, bits);
  return Object.freeze({
    octets,
    bits,
    hasHostBits: octets.some((octet, index) => octet !== address[index]),
  });
}

/** Canonical text: `10.0.0.0/8`. */
export function formatCidr({ octets, bits }: Cidr): string {
  return `${formatIpAddress(octets)}/${bits}`;
}

function masked(octets: Uint8Array, bits: number): Uint8Array {
  return octets.map((octet, index) => octet & (0xff00 >> Math.min(8, Math.max(0, bits - index * 8))));
}

/** Whether an address, 4 or 16 octets as they are, is in a range of its own kind. IPv4 mapped into IPv6 is IPv6 here. */
export function isWithin({ octets, bits }: Cidr, address: Uint8Array): boolean {
  return address.length === octets.length && masked(address, bits).every((octet, i) => octet === octets[i]);
}

/**
 * A set of ranges of addresses. A question costs one look-up for each length of prefix that is in use, however
 * many ranges there are. An empty set contains nothing.
 */
export class AddressRanges {
  /** Canonical text of each, in the order given. */
  readonly texts: readonly string[];
  readonly #byLength = new Map<number, { readonly bits: number; readonly networks: Set<string> }[]>();

  constructor(ranges: readonly Cidr[]) {
    this.texts = Object.freeze(ranges.map(formatCidr));
    for (const { octets, bits } of ranges) {
      const groups = this.#byLength.get(octets.length) ?? [];
      this.#byLength.set(octets.length, groups);
      let group = groups.find((group) => group.bits === bits);
      if (group === undefined) groups.push((group = { bits, networks: new Set() }));
      group.networks.add(octets.join('.'));
    }
    Object.freeze(this);
  }

  /** Whether an address is in one of the ranges. IPv4 mapped into IPv6 is IPv4; what is no address is in none. */
  contains(address: string): boolean {
    const parsed = parseIpAddress(address);
    if (parsed === null) return false;
    const octets = unmapped(parsed);
    const groups = this.#byLength.get(octets.length) ?? [];
    return groups.some(({ bits, networks }) => networks.has(masked(octets, bits).join('.')));
  }
}
