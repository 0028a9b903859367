import type { Told } from '../../snapshot/request-head.ts';
import type { AddressRanges } from '../../tls/cidr.ts';
import { formatIpAddress, parseIpAddress, unmapped } from '../../tls/ip-address.ts';
import { splitAuthority } from '../../snapshot/host-name.ts';
import { valuesOf } from './field.ts';

/** Addresses of an X-Forwarded-For that are looked at, from the right. */
const longestWay = 64;

/**
 * What a proxy in front tells of the client, where the connection comes from one that is trusted; null from anyone
 * else. The client's address is the last in X-Forwarded-For that is no trusted proxy's own, as nginx's
 * `real_ip_recursive on`: what stands in front of that one, anybody may have written. An entry that is no address ends the
 * way there.
 *
 * @param peer The connection's own address.
 */
export function readTold(
  rawHeaders: readonly string[],
  peer: string,
  trust: AddressRanges | null,
): Told | null {
  if (trust === null || !trust.contains(peer)) return null;
  const protocol = last(rawHeaders, 'x-forwarded-proto')?.toLowerCase();
  const host = last(rawHeaders, 'x-forwarded-host');
  const port = last(rawHeaders, 'x-forwarded-port');
  return {
    address: clientAddress(rawHeaders, peer, trust),
    scheme: protocol === 'https' || protocol === 'http' ? protocol : null,
    host: host !== null && splitAuthority(host) !== null ? host : null,
    port: port !== null && /^[1-9][0-9]{0,4}$/.test(port) && Number(port) <= 65_535 ? port : null,
  };
}

function clientAddress(rawHeaders: readonly string[], peer: string, trust: AddressRanges): string {
  const way = valuesOf(rawHeaders, 'x-forwarded-for').join(',').split(',').slice(-longestWay);
  let client = peer;
  for (const entry of way.reverse()) {
    const octets = parseIpAddress(bareAddress(entry.trim()));
    if (octets === null) return client;
    client = formatIpAddress(unmapped(octets)) ?? client;
    if (!trust.contains(client)) return client;
  }
  return client;
}

/** Some proxies write `192.0.2.1:4711` and `[2001:db8::1]:4711`. */
function bareAddress(entry: string): string {
  const bracketed = /^\[([^\]]*)\](?::[0-9]{1,5})?$/.exec(entry);
  const withPort = /^([0-9.]+):[0-9]{1,5}$/.exec(entry);
  return bracketed?.[1] ?? withPort?.[1] ?? entry;
}

/** The nearest proxy wrote the last one. */
function last(rawHeaders: readonly string[], name: string): string | null {
  const text = valuesOf(rawHeaders, name).at(-1)?.split(',').at(-1)?.trim() ?? '';
  return text === '' ? null : text;
}
