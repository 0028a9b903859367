import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { missingIssuer, withMissingIssuer } from '../../src/tls/missing-issuer.ts';
import { TrustStore } from '../../src/tls/trust-store.ts';
import type { VerdictFailed } from '../../src/tls/verdict.ts';
import { createAuthority } from '../support/pki.ts';

const root = await createAuthority({ cn: 'Root' });
const upper = await createAuthority({ cn: 'Upper', parent: root });
const lower = await createAuthority({ cn: 'Lower', parent: upper });
const leaf = await lower.issue({ cn: 'bob' });
const namesake = await createAuthority({ cn: 'Root' });
const trust = new TrustStore(root.cert);
const read = (...pems: string[]): X509Certificate[] => pems.map((pem) => new X509Certificate(pem));
const failed: VerdictFailed = { status: 'failed', reason: 'untrusted', detail: 'x', untrustedOnly: true };

void t.test('a failure says what the chain lacked, whatever part of it was sent', (t) => {
  const about = (...pems: string[]): string | undefined =>
    withMissingIssuer(failed, read(...pems), trust).about;
  t.equal(
    about(leaf.cert),
    'leaf only: CN=Lower, who issued CN=bob, was not sent and is not among the trusted CAs',
  );
  t.equal(
    about(leaf.cert, lower.cert),
    'CN=Upper, who issued CN=Lower, was not sent and is not among the trusted CAs',
  );
  t.equal(about(leaf.cert, upper.cert), about(leaf.cert)?.replace('leaf only: ', ''), 'a gap in the middle');
  t.equal(about(leaf.cert, lower.cert, upper.cert), undefined, 'it does lead there');
  t.match(about(namesake.cert), /CN=Root is its own issuer/);
  t.end();
});

void t.test('a CA of the same name with another key is told apart', async (t) => {
  const impostor = await namesake.issue({ cn: 'bob' });
  t.match(missingIssuer(read(impostor.cert), trust, true), /the trusted CA of that name has another key/);
});

void t.test('only what a chain can lack is told of, and detail stays what backends see', (t) => {
  const expired: VerdictFailed = { ...failed, reason: 'expired' };
  t.equal(withMissingIssuer(expired, read(leaf.cert), trust), expired);
  t.equal(withMissingIssuer(failed, [], trust), failed);
  t.equal(withMissingIssuer(failed, read(leaf.cert), trust).detail, 'x');
  t.end();
});

void t.test('no signature is checked by a key that the client sent', (t) => {
  const sent = read(leaf.cert, lower.cert, upper.cert, namesake.cert);
  for (const certificate of sent) {
    Object.defineProperty(certificate, 'publicKey', {
      get() {
        throw new Error('whoever sends a key picks how long a check takes');
      },
    });
  }
  t.equal(missingIssuer(sent, trust, true), null);
  t.equal(missingIssuer(sent.slice(0, 2), trust, true)?.includes('CN=Upper'), true);
  t.end();
});
