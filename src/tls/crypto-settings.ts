import { createSecureContext, getCiphers, type SecureContextOptions } from 'node:tls';
import type { CryptoSettings } from '../snapshot/snapshot.ts';

/** What a name in a list of TLS settings is for. */
export type CryptoKind = keyof CryptoSettings;

const known: ReadonlySet<string> = new Set(getCiphers());

/**
 * Why a name cannot stand in a list, or null. Asked for each name by itself: in a list, OpenSSL passes over the
 * cipher suites that it does not know, and reads words such as `ALL` and `?name` as more than a name.
 */
export function cryptoFault(kind: CryptoKind, name: string): string | null {
  if (
    kind === 'ciphers' &&
    /(?:^|[-_])(?:PSK|SRP|NULL|A?NULL|ADH|AECDH|RC4|DES|3DES|MD5|EXP)(?:[-_]|$)/i.test(name)
  )
    return 'gives no encryption, no certificate, or one that is broken';
  const unknown = 'is not known to the OpenSSL of this runtime';
  if (!/^[A-Za-z0-9_+-]+$/.test(name)) return unknown;
  // The rest of a list that gives no cipher suite would be filled up by the runtime.
  if (kind === 'ciphers' && !known.has(name.toLowerCase())) return unknown;
  try {
    createSecureContext(options[kind](name));
    return null;
  } catch {
    return unknown;
  }
}

const options: Readonly<Record<CryptoKind, (list: string) => SecureContextOptions>> = {
  ciphers: (list) => ({ ciphers: list }),
  groups: (list) => ({ ecdhCurve: list }),
  signatureAlgorithms: (list) => ({ sigalgs: list }),
};

/** Where none are configured: Mozilla's, behind the post-quantum one where the runtime has it (OpenSSL 3.5). */
const defaultGroups: readonly string[] = ['X25519MLKEM768', 'X25519', 'P-256', 'P-384'].filter(
  (name) => cryptoFault('groups', name) === null,
);

/**
 * The settings as Node takes them.
 * @throws Error for a name that OpenSSL does not know: none is left out in silence.
 */
export function cryptoOptions(settings: CryptoSettings): SecureContextOptions {
  let options = made.get(settings);
  if (options === undefined) made.set(settings, (options = makeOptions(settings)));
  return options;
}

/** Settings are frozen, thousands of hosts have the same, and to ask OpenSSL about each name takes milliseconds. */
const made = new WeakMap<CryptoSettings, SecureContextOptions>();

function makeOptions(settings: CryptoSettings): SecureContextOptions {
  const result: SecureContextOptions = {};
  for (const kind of ['ciphers', 'groups', 'signatureAlgorithms'] as const) {
    const names = settings[kind] ?? (kind === 'groups' ? defaultGroups : null);
    if (names === null) continue;
    for (const name of names) {
      const fault = cryptoFault(kind, name);
      if (fault !== null) throw new Error(`tls.${kind}: ${name} ${fault}`);
    }
    Object.assign(result, options[kind](names.join(':')));
  }
  return result;
}
