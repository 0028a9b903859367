import { cryptoFault } from '../../tls/crypto-settings.ts';
import { error, type Finding, pointer } from '../problem.ts';
import type { Config } from '../schema.ts';
import { quote } from '../text.ts';

/** Cipher suites, groups and signature algorithms are known to OpenSSL, and fit the versions. */
export function checkTls({ tls = {} }: Config): Finding[] {
  const findings: Finding[] = [];
  for (const kind of ['ciphers', 'groups', 'signatureAlgorithms'] as const) {
    for (const [index, name] of (tls[kind] ?? []).entries()) {
      const fault = cryptoFault(kind, name);
      if (fault !== null) findings.push(error(pointer('tls', kind, index), `${quote(name)} ${fault}`));
    }
  }
  if (tls.preset === 'modern' && tls.minVersion === 'TLSv1.2') {
    findings.push(
      error('/tls/minVersion', 'the preset modern is TLSv1.3 alone: leave this out, or write intermediate'),
    );
  }
  const only13 = tls.preset === 'modern' || tls.minVersion === 'TLSv1.3';
  if (only13 && tls.ciphers?.every((name) => !name.startsWith('TLS_')) === true) {
    findings.push(error('/tls/ciphers', 'none of these is for TLSv1.3: their names begin with TLS_'));
  }
  return findings;
}
