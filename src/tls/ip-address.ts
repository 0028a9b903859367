/** The four numbers of a dotted address, or null: decimal, no leading zeros, nothing left out. */
function parseIpv4(text: string): number[] | null {
  const parts = text.split('.', 5);
  if (parts.length !== 4) return null;
  const octets: number[] = [];
  for (const part of parts) {
    if (!/^(?:0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return null;
    octets.push(Number(part));
  }
  return octets;
}

/** The octets of up to eight colon-separated groups, or null. The last may be a dotted IPv4 address. */
function parseGroups(text: string): number[] | null {
  if (text === '') return [];
  const octets: number[] = [];
  const groups = text.split(':', 9);
  for (const [index, group] of groups.entries()) {
    if (index === groups.length - 1 && group.includes('.')) {
      const dotted = parseIpv4(group);
      if (dotted === null) return null;
      octets.push(...dotted);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return null;
      const value = Number.parseInt(group, 16);
      octets.push(value >> 8, value & 0xff);
    }
  }
  return octets;
}

function parseIpv6(text: string): number[] | null {
  const halves = text.split('::', 3);
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0]!);
  if (halves.length === 1) return head?.length === 16 ? head : null;
  const tail = parseGroups(halves[1]!);
  if (head === null || tail === null || halves[0]!.includes('.')) return null;
  // `::` stands for one group of zeros at least (RFC 4291 §2.2).
  const zeros = 16 - head.length - tail.length;
  return zeros < 2 ? null : [...head, ...Array.from({ length: zeros }, () => 0), ...tail];
}

/**
 * The 4 or 16 octets of an address in text, or null where it is none. IPv4 in dotted decimals without
 * leading zeros, IPv6 in any form of RFC 4291 §2.2; no zone, no brackets, no port.
 */
export function parseIpAddress(text: string): Uint8Array | null {
  if (text.length > 45) return null;
  const octets = text.includes(':') ? parseIpv6(text) : parseIpv4(text);
  return octets === null ? null : Uint8Array.from(octets);
}

/** Canonical text of 4 or 16 octets: dotted decimals, or RFC 5952; null for any other number of octets. */
export function formatIpAddress(octets: Uint8Array): string | null {
  if (octets.length === 4) return octets.join('.');
  if (octets.length !== 16) return null;
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(octets[i]! * 256 + octets[i + 1]!);
  // RFC 5952 §5: a mapped IPv4 address shows as one.
  if (groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)) {
    return `::ffff:${octets.subarray(12).join('.')}`;
  }
  let longest = { start: 0, length: 0 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > longest.length) longest = { start, length };
  }
  const hex = (part: number[]): string => part.map((group) => group.toString(16)).join(':');
  if (longest.length < 2) return hex(groups);
  return `${hex(groups.slice(0, longest.start))}::${hex(groups.slice(longest.start + longest.length))}`;
}

/**
 * An address as people, ranges and nginx's $remote_addr write it: one of IPv4 mapped into IPv6, which is how a
 * listener on `::` shows its IPv4 clients, in dotted form; no zone. Text that is no address is left as it is.
 */
export function plainAddress(address: string): string {
  const zone = address.indexOf('%');
  const bare = zone === -1 ? address : address.slice(0, zone);
  if (!bare.includes(':')) return bare;
  const octets = parseIpAddress(bare);
  return octets === null ? bare : formatIpAddress(unmapped(octets))!;
}

/** The 4 octets of IPv4 that 16 octets are mapped from (RFC 4291 §2.5.5.2); any others as they are. */
export function unmapped(octets: Uint8Array): Uint8Array {
  if (octets.length !== 16 || octets[10] !== 255 || octets[11] !== 255) return octets;
  for (let i = 0; i < 10; i++) if (octets[i] !== 0) return octets;
  return octets.subarray(12);
}
