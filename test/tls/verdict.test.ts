import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { verdictOf } from '../../src/tls/verdict.ts';

const failing = (authorizationError: string | null, errorText?: string) =>
  verdictOf({
    requested: true,
    certificatePresent: true,
    authorized: false,
    authorizationError,
    ...(errorText === undefined ? {} : { errorText }),
  });

void t.test(
  'success needs a certificate that is there, asked for, authorised and without error',
  async (t) => {
    const yes = { requested: true, certificatePresent: true, authorized: true, authorizationError: null };
    t.same(verdictOf(yes), { status: 'success' });
    t.same(
      verdictOf({ ...yes, certificatePresent: false }),
      { status: 'none' },
      'a resumed session without one',
    );
    t.same(verdictOf({ ...yes, requested: false }), { status: 'none' });
    t.match(verdictOf({ ...yes, authorized: false }), {
      status: 'failed',
      reason: 'other',
      untrustedOnly: false,
    });
    t.match(verdictOf({ ...yes, authorizationError: 'CERT_REVOKED' }), {
      status: 'failed',
      reason: 'revoked',
    });
  },
);

void t.test('no certificate is none, whatever error Node reports for it', async (t) => {
  const verdict = verdictOf({
    requested: true,
    certificatePresent: false,
    authorized: false,
    authorizationError: 'UNABLE_TO_GET_ISSUER_CERT',
  });
  t.same(verdict, { status: 'none' });
});

void t.test('each code that Node names has its reason and OpenSSL’s words', async (t) => {
  const codes: Record<string, readonly [reason: string, detail: string]> = {
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['untrusted', 'unable to verify the first certificate'],
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['untrusted', 'unable to get local issuer certificate'],
    UNABLE_TO_GET_ISSUER_CERT: ['untrusted', 'unable to get issuer certificate'],
    CERT_SIGNATURE_FAILURE: ['untrusted', 'certificate signature failure'],
    CERT_UNTRUSTED: ['untrusted', 'certificate not trusted'],
    CERT_REJECTED: ['untrusted', 'certificate rejected'],
    DEPTH_ZERO_SELF_SIGNED_CERT: ['self_signed', 'self-signed certificate'],
    SELF_SIGNED_CERT_IN_CHAIN: ['self_signed', 'self-signed certificate in certificate chain'],
    CERT_HAS_EXPIRED: ['expired', 'certificate has expired'],
    CERT_NOT_YET_VALID: ['not_yet_valid', 'certificate is not yet valid'],
    CERT_REVOKED: ['revoked', 'certificate revoked'],
    CRL_HAS_EXPIRED: ['crl_expired', 'CRL has expired'],
    CRL_NOT_YET_VALID: ['crl_missing', 'CRL is not yet valid'],
    CRL_SIGNATURE_FAILURE: ['crl_missing', 'CRL signature failure'],
    UNABLE_TO_GET_CRL: ['crl_missing', 'unable to get certificate CRL'],
    INVALID_PURPOSE: ['bad_purpose', 'unsuitable certificate purpose'],
    INVALID_CA: ['bad_purpose', 'invalid CA certificate'],
    CERT_CHAIN_TOO_LONG: ['chain_too_long', 'certificate chain too long'],
    PATH_LENGTH_EXCEEDED: ['path_len', 'path length constraint exceeded'],
    ERROR_IN_CERT_NOT_AFTER_FIELD: ['malformed_cert', "format error in certificate's notAfter field"],
    OUT_OF_MEM: ['other', 'out of memory'],
    HOSTNAME_MISMATCH: ['other', 'hostname mismatch'],
    UNSPECIFIED: ['other', 'unspecified certificate verification error'],
  };
  for (const [code, [reason, detail]] of Object.entries(codes)) {
    t.match(failing(code), { status: 'failed', reason, detail }, code);
  }
});

void t.test('exactly the five that nginx’s optional_no_ca lets pass are untrustedOnly', async (t) => {
  const codes = [
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'CERT_UNTRUSTED',
  ];
  for (const code of codes) t.match(failing(code), { untrustedOnly: true }, code);
  for (const code of [
    'CERT_HAS_EXPIRED',
    'CERT_REVOKED',
    'INVALID_PURPOSE',
    'UNABLE_TO_GET_ISSUER_CERT',
    'CERT_REJECTED',
    'CERT_SIGNATURE_FAILURE',
    'UNSPECIFIED',
    'NEVER_HEARD_OF',
  ]) {
    t.match(failing(code), { untrustedOnly: false }, code);
  }
});

void t.test('a code that nobody knows fails as other', async (t) => {
  for (const code of [
    '',
    'constructor',
    '__proto__',
    'cert_has_expired',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    null,
  ]) {
    t.same(failing(code), {
      status: 'failed',
      reason: 'other',
      detail: 'unspecified certificate verification error',
      untrustedOnly: false,
    });
  }
});

void t.test('OpenSSL’s text tells apart what Node leaves unspecified', async (t) => {
  t.match(failing('UNSPECIFIED', 'EE certificate key too weak'), {
    reason: 'weak_key',
    detail: 'EE certificate key too weak',
  });
  t.match(failing('UNSPECIFIED', 'permitted subtree violation'), { reason: 'name_constraint' });
  t.match(failing('UNSPECIFIED', 'no such words'), { reason: 'other' });
  t.match(
    failing('CERT_HAS_EXPIRED', 'EE certificate key too weak'),
    { reason: 'expired' },
    'a code comes first',
  );
});

void t.test('a text alone never lets a failure pass', async (t) => {
  for (const code of ['UNSPECIFIED', 'NEVER_HEARD_OF', null]) {
    t.match(failing(code, 'unable to verify the first certificate'), {
      reason: 'other',
      untrustedOnly: false,
    });
  }
});

const header = '/usr/include/openssl/x509_vfy.h';
const compiler =
  spawnSync('cc', ['--version']).status === 0 && spawnSync('test', ['-r', header]).status === 0;

void t.test(
  'the words are those of the OpenSSL on this machine',
  { skip: compiler ? false : 'needs OpenSSL’s headers and a compiler' },
  async (t) => {
    const dir = t.testdir({
      'words.c': `#include <openssl/x509_vfy.h>
#include <stdio.h>
int main(void) { for (int i = 1; i < 95; i++) printf("%d\\t%s\\n", i, X509_verify_cert_error_string(i)); }`,
    });
    const built = spawnSync('cc', ['-o', `${dir}/words`, `${dir}/words.c`, '-lcrypto'], { encoding: 'utf8' });
    t.equal(built.status, 0, built.stderr);
    const words = spawnSync(`${dir}/words`, { encoding: 'utf8' })
      .stdout.trim()
      .split('\n')
      .map((line) => line.split('\t'));
    const names = new Map(
      Array.from(
        readFileSync(header, 'utf8').matchAll(/define\s+X509_V_ERR_(\w+)\s+(\d+)/g),
        ([, code, number]) => [number!, code!],
      ),
    );
    let compared = 0;
    for (const [number, text] of words) {
      const code = names.get(number!);
      if (code === undefined) continue;
      compared++;
      t.match(failing(code), { detail: text }, code);
    }
    t.ok(compared > 80);
  },
);
