import { isIP } from 'node:net';
import { defaults } from '../defaults.ts';
import { error, type Finding, given } from '../problem.ts';
import type { Config } from '../schema.ts';
import { quote } from '../text.ts';

/** Listeners have addresses, each its own. */
export function checkListeners({ listeners }: Config): Finding[] {
  const findings: Finding[] = [];
  const taken = new Map<string, string>();
  const all = {
    https: { address: defaults.address, ...listeners.https },
    http: listeners.http && { address: defaults.address, ...listeners.http },
    admin: { ...defaults.admin, ...listeners.admin },
  };
  for (const [name, listener] of Object.entries(all)) {
    if (listener === undefined) continue;
    const { address, port } = listener;
    const path = `/listeners/${name}`;
    if (isIP(address) === 0) {
      const example = /^localhost\.?$/i.test(address) ? '127.0.0.1' : '0.0.0.0, :: or 127.0.0.1';
      findings.push(error(`${path}/address`, `${quote(address)} is no IP address: write ${example}`));
      continue;
    }
    if (port === 0) continue;
    const clash = [address, ...wildcards].map((other) => taken.get(`${other} ${port}`)).find(Boolean);
    const everywhere = wildcards.includes(address) ? taken.get(`any ${port}`) : undefined;
    const other = clash ?? everywhere;
    if (other !== undefined) {
      const clashing = error(
        `${path}/port`,
        `${port} is taken by ${other}: listeners need ports of their own`,
      );
      findings.push(given(clashing, `${path}/address`, `${other}/address`, `${other}/port`));
    }
    taken.set(`${address} ${port}`, path);
    taken.set(`any ${port}`, path);
  }
  return findings;
}

/** Listening on these takes the port on every address. */
const wildcards = ['0.0.0.0', '::'];
