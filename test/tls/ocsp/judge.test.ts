import { X509Certificate } from 'node:crypto';
import * as fc from 'fast-check';
import t from 'tap';
import { readCertificateFields } from '../../../src/tls/ocsp/certificate-fields.ts';
import { judgeResponse, RefusedResponse, type Subject } from '../../../src/tls/ocsp/judge.ts';
import { createAuthority, type Issued, keyFromPem } from '../../support/pki.ts';
import {
  accessTo,
  makeError,
  makeResponse,
  purposes,
  type ResponseOptions,
  stapleWanted,
} from './respond.ts';

const hour = 3_600_000;
const ocspSigning = '1.3.6.1.5.5.7.3.9';
const root = await createAuthority({ cn: 'Root' });
const ca = await createAuthority({ cn: 'CA', parent: root });
const namesake = await createAuthority({ cn: 'CA', parent: root });
const client = await ca.issue({
  cn: 'client',
  extensions: [
    { oid: '1.3.6.1.5.5.7.1.1', value: accessTo('http://ocsp.test/a') },
    { oid: '1.3.6.1.5.5.7.1.24', value: stapleWanted },
  ],
});
const other = await ca.issue({ cn: 'other' });
const signing = { oid: '2.5.29.37', value: purposes(ocspSigning) };
const delegate = await ca.issue({ cn: 'responder', extensions: [signing] });

const signer = (one: Pick<Issued, 'der' | 'key'>) => ({ der: one.der, key: keyFromPem(one.key) });
const subject: Subject = {
  leaf: readCertificateFields(client.der),
  issuer: new X509Certificate(ca.cert),
  issuerFields: readCertificateFields(ca.der),
};
const base: ResponseOptions = { leaf: client.der, issuer: ca.der, signer: signer(ca) };
const nonce = Buffer.alloc(32, 7);
const judge = (der: Uint8Array) => judgeResponse(der, subject, nonce, Date.now());

const accepted: Record<string, Partial<ResponseOptions>> = {
  'signed by the issuer': {},
  'that names the responder by its key': { byKey: true },
  'that names the issuer by SHA-256': { digest: 'sha256' },
  'with the nonce that was sent': { nonce },
  'without nextUpdate, and new': { nextUpdate: null },
  'without nextUpdate, old, and with the nonce': { nextUpdate: null, thisUpdate: Date.now() - hour, nonce },
  'by a responder that the issuer delegated to': { signer: signer(delegate), certificates: [delegate.der] },
  'by a delegate that is named by its key': {
    signer: signer(delegate),
    certificates: [other.der, delegate.der],
    byKey: true,
  },
};
for (const [name, options] of Object.entries(accepted)) {
  for (const status of ['good', 'revoked', 'unknown'] as const) {
    await t.test(`an answer ${name} counts: ${status}`, (t) => {
      t.equal(judge(makeResponse({ ...base, ...options, status })).status, status);
      t.end();
    });
  }
}

const stranger = await namesake.issue({ cn: 'responder', extensions: [signing] });
const withoutPurpose = await ca.issue({ cn: 'responder' });
const anyPurpose = await ca.issue({ cn: 'r', extensions: [{ ...signing, value: purposes('2.5.29.37.0') }] });
const noPurpose = await ca.issue({ cn: 'r', usage: 'none' });
const expired = await ca.issue({ cn: 'r', extensions: [signing], notAfter: Date.now() - hour });
const early = await ca.issue({ cn: 'r', extensions: [signing], notBefore: Date.now() + hour });
const grandchild = await root.issue({ cn: 'r', extensions: [signing] });
const delegated = (one: Issued) => ({ signer: signer(one), certificates: [one.der] });

const refused: Record<string, [Partial<ResponseOptions>, RegExp]> = {
  'signed by a CA of the same name': [{ signer: signer(namesake) }, /signed/],
  'signed with another key than it names': [
    { signer: { der: ca.der, key: keyFromPem(other.key) } },
    /signed/,
  ],
  'by a delegate of a CA of the same name': [delegated(stranger), /signed/],
  'by a certificate for clients': [delegated(withoutPurpose), /signed/],
  'by a certificate for any purpose': [delegated(anyPurpose), /signed/],
  'by a certificate without a purpose': [delegated(noPurpose), /signed/],
  'by a delegate that has expired': [delegated(expired), /signed/],
  'by a delegate that is not yet valid': [delegated(early), /signed/],
  "by a delegate of the issuer's issuer": [delegated(grandchild), /signed/],
  "by the issuer's issuer": [{ signer: signer(root), certificates: [root.der] }, /signed/],
  'by a delegate that did not come along': [{ signer: signer(delegate) }, /signed/],
  'about another certificate of the issuer': [{ leaf: other.der }, /another certificate/],
  'about the serial number under another key': [{ issuer: namesake.der }, /another certificate/],
  'that ran out': [{ thisUpdate: Date.now() - 3 * hour, nextUpdate: Date.now() - hour }, /out of date/],
  'from the future': [{ thisUpdate: Date.now() + hour, nextUpdate: Date.now() + 2 * hour }, /future/],
  'without nextUpdate, and old': [{ nextUpdate: null, thisUpdate: Date.now() - hour }, /out of date/],
  'with another nonce': [{ nonce: Buffer.alloc(32, 8) }, /nonce/],
  'with a part of the nonce': [{ nonce: nonce.subarray(1) }, /nonce/],
  'with a critical extension': [{ critical: true }, /critical/],
  'with too many certificates': [{ certificates: Array.from({ length: 9 }, () => other.der) }, /too many/],
};
for (const [name, [options, message]] of Object.entries(refused)) {
  await t.test(`an answer ${name} is refused`, (t) => {
    const der = makeResponse({ ...base, ...options });
    t.throws(() => judge(der), { name: 'RefusedResponse', message });
    t.end();
  });
}

await t.test('an error is told by its name', (t) => {
  t.throws(() => judge(makeError(3)), { message: 'it says tryLater' });
  t.throws(() => judge(makeError(6)), { message: 'it says unauthorized' });
  t.throws(() => judge(makeError(77)), { message: 'it says status 77' });
  t.end();
});

await t.test('no changed bit makes a revoked certificate good, and garbage is refused, not thrown', (t) => {
  const der = makeResponse({ ...base, status: 'revoked' });
  for (let bit = 0; bit < der.length * 8; bit++) {
    const changed = Buffer.from(der);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    try {
      t.equal(judge(changed).status, 'revoked');
    } catch (error) {
      if (!(error instanceof RefusedResponse)) t.fail(`bit ${bit}: ${String(error)}`);
    }
  }
  const random = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.nat(der.length).map((length) => new Uint8Array(der.subarray(0, length))),
  );
  fc.assert(
    fc.property(random, (bytes) => {
      if (bytes.length === der.length) return true;
      try {
        judge(bytes);
        return false;
      } catch (error) {
        return error instanceof RefusedResponse;
      }
    }),
    { numRuns: 2000 },
  );
  t.end();
});

await t.test('the responder and the wish for a staple are read from the certificate', (t) => {
  t.match(subject.leaf, { responder: 'http://ocsp.test/a', mustStaple: true });
  t.match(readCertificateFields(other.der), { responder: null, mustStaple: false });
  t.end();
});
