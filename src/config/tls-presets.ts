/**
 * Mozilla's Server Side TLS, version 5.8 (the last of github.com/mozilla/ssl-config-generator), by OpenSSL's names:
 * the lists of 5.7 without its DHE suites, which would need parameters of their own. What 5.8 says of groups,
 * X25519MLKEM768 beside X25519, P-256 and P-384, is in tls/crypto-settings.ts.
 */
const modern: readonly string[] = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
];

export const tlsPresets = Object.freeze({
  modern: Object.freeze({ minVersion: 'TLSv1.3', ciphers: Object.freeze([...modern]) }),
  intermediate: Object.freeze({
    minVersion: 'TLSv1.2',
    ciphers: Object.freeze([
      ...modern,
      'ECDHE-ECDSA-AES128-GCM-SHA256',
      'ECDHE-RSA-AES128-GCM-SHA256',
      'ECDHE-ECDSA-AES256-GCM-SHA384',
      'ECDHE-RSA-AES256-GCM-SHA384',
      'ECDHE-ECDSA-CHACHA20-POLY1305',
      'ECDHE-RSA-CHACHA20-POLY1305',
    ]),
  }),
});
