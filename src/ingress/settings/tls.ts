import { different, type Parsed, refused, type ValueType } from '../annotations/annotation.ts';
import { cipherSuites } from '../annotations/cipher-suites.ts';
import { flag, text, whole } from '../annotations/value-types.ts';
import { setting } from './setting.ts';

const protocolsType: ValueType<'TLSv1.2' | 'TLSv1.3'> = {
  name: 'TLS versions',
  parse(written): Parsed<'TLSv1.2' | 'TLSv1.3'> {
    const names = written.split(/\s+/);
    if (names.includes('TLSv1.2')) return { value: 'TLSv1.2' };
    if (names.includes('TLSv1.3')) return { value: 'TLSv1.3' };
    return { problem: 'has neither TLSv1.2 nor TLSv1.3' };
  },
};

const curves = new Map([
  ['X25519MLKEM768', 'X25519MLKEM768'],
  ['X25519', 'X25519'],
  ['P-256', 'P-256'],
  ['prime256v1', 'P-256'],
  ['secp256r1', 'P-256'],
  ['P-384', 'P-384'],
  ['secp384r1', 'P-384'],
  ['P-521', 'P-521'],
  ['secp521r1', 'P-521'],
]);

const curvesType: ValueType<readonly string[]> = {
  name: 'auto | curves',
  parse(written): Parsed<readonly string[]> {
    if (written === 'auto') return { value: [] };
    const names = written.split(':').flatMap((name) => curves.get(name) ?? []);
    return names.length === 0
      ? { problem: 'has no curve that is known here' }
      : { value: [...new Set(names)] };
  },
};

/** TLS towards clients. */
export const protocols = setting('ssl-protocols', protocolsType, 'The TLS versions.', {
  default: 'TLSv1.2 TLSv1.3',
  state: different('TLS 1.3 is always on; versions before 1.2 are never.'),
});
export const ciphers = setting('ssl-ciphers', cipherSuites, 'Cipher suites of TLS 1.2.', {
  default:
    'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305',
  state: different(
    'Only suites with ECDHE, by their names; the others of a list are left out, DHE among them.',
  ),
});
export const ecdhCurve = setting('ssl-ecdh-curve', curvesType, 'Groups of the key exchange.', {
  default: 'auto',
});
export const sessionCache = setting('ssl-session-cache', flag, 'Let clients resume their sessions.', {
  default: 'true',
  state: different('Sessions are resumed by tickets whose keys live for an hour, and nothing is kept here.'),
});
export const sessionTickets = setting('ssl-session-tickets', flag, 'Let clients resume them by tickets.', {
  default: 'false',
  state: different('As `ssl-session-cache`: either of the two lets clients resume.'),
});
export const rejectHandshake = setting(
  'ssl-reject-handshake',
  flag,
  'Refuse the handshake for server names of no host.',
  { default: 'false' },
);
export const hsts = setting(
  'hsts',
  flag,
  'Strict-Transport-Security on hosts with a certificate of their own.',
  {
    default: 'true',
  },
);
export const hstsMaxAge = setting('hsts-max-age', whole, 'How long it holds, in seconds.', {
  default: '31536000',
});
export const hstsSubdomains = setting('hsts-include-subdomains', flag, 'Also for names below.', {
  default: 'true',
});
export const hstsPreload = setting('hsts-preload', flag, 'Ask for browsers to know of it beforehand.', {
  default: 'false',
});

const fixed = (what: string) => different(what);

export const tls = [
  protocols,
  ciphers,
  ecdhCurve,
  sessionCache,
  sessionTickets,
  rejectHandshake,
  hsts,
  hstsMaxAge,
  hstsSubdomains,
  hstsPreload,
  setting('ssl-session-cache-size', text, 'Memory for sessions.', {
    default: '10m',
    state: fixed('Nothing is kept.'),
  }),
  setting('ssl-session-timeout', text, 'How long sessions live.', {
    default: '10m',
    state: fixed('Ten minutes, always.'),
  }),
  setting('ssl-session-ticket-key', text, 'The key of tickets.', {
    state: refused('ticket keys are made at random and replaced every hour.'),
  }),
  setting('ssl-dh-param', text, 'Parameters for DHE.', { state: refused('DHE is not offered.') }),
  setting('ssl-buffer-size', text, 'The size of TLS records.', {
    default: '4k',
    state: fixed('As OpenSSL does.'),
  }),
  setting('ssl-early-data', flag, 'Take 0-RTT data.', {
    default: 'false',
    state: refused('0-RTT data can be replayed, and is never taken.'),
  }),
  setting('enable-ocsp', flag, "Ask the responder about clients' certificates.", {
    default: 'false',
    restricts: true,
    state: refused('not supported in this version: give a CRL, `ca.crl` in the Secret.'),
  }),
  setting('use-http2', flag, 'Speak HTTP/2 to clients.', {
    default: 'true',
    state: different('HTTP/1.1 only.'),
  }),
];
