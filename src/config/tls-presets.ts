/**
 * Mozilla's Server Side TLS, version 5.7, by OpenSSL's names. Its DHE suites are left out: they would need
 * parameters of their own, and every client that has them has ECDHE as well.
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
