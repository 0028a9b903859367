import { formatCidr, parseCidr } from '../../tls/cidr.ts';
import { error, type Finding, pointer, warning } from '../problem.ts';
import type { Config } from '../schema.ts';
import { quote } from '../text.ts';

/** Proxies that are believed about addresses are named by ranges that say what they seem to say. */
export function checkProxyProtocol({ listeners }: Config): Finding[] {
  return (['https', 'http'] as const).flatMap((name) =>
    (listeners[name]?.proxyProtocol?.trusted ?? []).flatMap((text, index): Finding[] => {
      const path = pointer('listeners', name, 'proxyProtocol', 'trusted', index);
      const range = parseCidr(text);
      if (range === null) {
        const example = 'write an address, or a range such as 10.0.0.0/8 or 2001:db8::/32';
        return [error(path, `${quote(text)} is no range of addresses: ${example}`)];
      }
      if (range.bits === 0)
        return [
          warning(path, `${quote(text)} is everyone: whoever reaches the listener may claim any address`),
        ];
      if (range.hasHostBits)
        return [
          warning(path, `${quote(text)} has bits set behind its length: it means ${formatCidr(range)}`),
        ];
      return [];
    }),
  );
}
