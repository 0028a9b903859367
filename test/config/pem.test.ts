import { generateKeyPairSync } from 'node:crypto';
import * as fc from 'fast-check';
import t from 'tap';
import { blocksFor, type PemRole, pemFault, readPem } from '../../src/config/pem.ts';
import { createAuthority } from '../support/pki.ts';

const block = (label: string, body = 'AAAA'): string =>
  `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;
const fault = (role: PemRole, contents: string | Uint8Array): string | null =>
  pemFault(role, typeof contents === 'string' ? Buffer.from(contents) : contents);

void t.test('blocks are found in order, whatever stands between them', async (t) => {
  const text = `subject=CN=x\r\n${block('CERTIFICATE', 'MQ==')}\n# note\n${block('EC PARAMETERS')}${block('EC PRIVATE KEY')}`;
  t.same(
    readPem(text.replaceAll('\n', '\r\n')).blocks.map(({ label }) => label),
    ['CERTIFICATE', 'EC PARAMETERS', 'EC PRIVATE KEY'],
  );
  t.same(blocksFor('certificate', text), [block('CERTIFICATE', 'MQ==')]);
  t.same(blocksFor('key', text), [block('EC PRIVATE KEY')]);
  t.same(blocksFor('crl', text), []);
});

void t.test('a file that was cut off, or has blocks within blocks, is no whole file', async (t) => {
  const whole = block('CERTIFICATE') + block('CERTIFICATE');
  t.equal(readPem(whole).isCut, false);
  t.equal(readPem(whole.slice(0, -20)).isCut, true);
  t.equal(readPem(whole.slice(10)).isCut, true, 'its beginning is gone');
  t.equal(readPem('-----BEGIN CERTIFICATE-----\n' + block('CERTIFICATE')).isCut, true);
  t.equal(readPem('-----BEGIN CERTIFICATE-----\nAAAA\n-----END PRIVATE KEY-----\n').isCut, true);
});

void t.test('what a file can serve as is seen from its labels', async (t) => {
  const [certificate, key, crl] = [block('CERTIFICATE'), block('PRIVATE KEY'), block('X509 CRL')];
  t.equal(fault('certificate', certificate + key), null, 'a key beside the certificate is common');
  t.equal(fault('key', certificate + key), null);
  t.equal(fault('key', block('RSA PRIVATE KEY')), null);
  t.equal(fault('ca', certificate), null);
  t.equal(fault('crl', crl), null);
  t.match(fault('certificate', key), /holds no certificate, only PRIVATE KEY/);
  t.match(fault('key', certificate), /holds no private key, only CERTIFICATE/);
  t.match(fault('key', block('PUBLIC KEY')), /holds no private key/);
  t.match(fault('ca', crl), /holds no CA certificate, only X509 CRL/);
  t.match(fault('ca', block('TRUSTED CERTIFICATE')), /holds no CA certificate, only TRUSTED CERTIFICATE/);
  t.match(fault('crl', certificate), /holds no CRL, only CERTIFICATE/);
  t.match(fault('ca', 'hello'), /is not PEM/);
  t.match(fault('ca', certificate.slice(0, -10)), /is cut off or damaged/);
  t.match(fault('key', key + key), /holds 2 private keys/);
});

void t.test('an encrypted key is refused with the command that decrypts it', async (t) => {
  const encrypted = (type: 'pkcs1' | 'pkcs8'): string =>
    generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
    }).privateKey;
  t.match(fault('key', encrypted('pkcs8')), /encrypted private key.*openssl pkey/);
  t.match(fault('key', encrypted('pkcs1')), /encrypted private key.*openssl pkey/);
});

void t.test('DER is refused with the command that converts it', async (t) => {
  const root = await createAuthority({ cn: 'Root' });
  t.match(fault('ca', root.der), /is DER or PKCS#12, not PEM.*openssl x509 -inform der/);
  t.match(fault('crl', root.der), /openssl crl -inform der/);
  t.match(fault('key', root.der), /openssl pkey -inform der/);
});

void t.test('bytes of any kind are judged without an exception, in linear time', async (t) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom<PemRole>('certificate', 'key', 'ca', 'crl'),
      (bytes, role) => {
        const said = pemFault(role, bytes);
        return said === null || said.length > 0;
      },
    ),
  );
  const started = performance.now();
  for (const text of ['-----BEGIN ', '-----BEGIN A-----', '-----', '-----END A-----'])
    fault('ca', text.repeat(200_000));
  t.ok(performance.now() - started < 10_000);
});
