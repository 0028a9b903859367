import { connect, createServer, type TLSSocket } from 'node:tls';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import * as fc from 'fast-check';
import t from 'tap';
import { PkiError } from '../../src/pki/error.ts';
import { judgeChain } from '../../src/pki/judge.ts';
import { readCertificates } from '../../src/pki/pem.ts';
import { day } from '../../src/pki/time.ts';
import type { Verdict } from '../../src/tls/verdict.ts';
import { verdictOfSocket } from '../../src/tls/verification.ts';
import { createAuthority, type Issued, selfSigned } from '../support/pki.ts';

const root = await createAuthority({ cn: 'Root' });
const intermediate = await createAuthority({ cn: 'Intermediate', parent: root });
const constrained = await createAuthority({ cn: 'Constrained', parent: root, pathLen: 0 });
const tooDeep = await createAuthority({ cn: 'Too deep', parent: constrained });
const noCa = await createAuthority({ cn: 'No CA', parent: root, ca: false });
const foreign = await createAuthority({ cn: 'Root' });
const good = await intermediate.issue({ cn: 'good' });
const crls = root.crl() + intermediate.crl({ revoked: [await intermediate.issue({ cn: 'another' })] });

interface Case {
  readonly leaf: Issued;
  readonly chain?: string;
  readonly crl?: string;
  readonly reason: string;
}

const cases: Readonly<Record<string, Case>> = {
  good: { leaf: good, reason: 'success' },
  'good with current CRLs': { leaf: good, crl: crls, reason: 'success' },
  'intermediate missing': { leaf: good, chain: good.cert, reason: 'untrusted' },
  expired: { leaf: await intermediate.issue({ cn: 'x', notAfter: Date.now() - day / 2 }), reason: 'expired' },
  'not yet valid': {
    leaf: await intermediate.issue({ cn: 'x', notBefore: Date.now() + day }),
    reason: 'not_yet_valid',
  },
  'for servers': { leaf: await intermediate.issue({ cn: 'x', usage: 'server' }), reason: 'bad_purpose' },
  'without any purpose': { leaf: await intermediate.issue({ cn: 'x', usage: 'none' }), reason: 'success' },
  'of a CA of the same name': { leaf: await foreign.issue({ cn: 'x' }), reason: 'untrusted' },
  'self-signed': { leaf: await selfSigned({ cn: 'x' }), reason: 'self_signed' },
  revoked: { leaf: good, crl: root.crl() + intermediate.crl({ revoked: [good] }), reason: 'revoked' },
  'one CRL missing': { leaf: good, crl: intermediate.crl(), reason: 'crl_missing' },
  'CRL out of date': {
    leaf: good,
    crl:
      root.crl() +
      intermediate.crl({ revoked: [], thisUpdate: Date.now() - 2 * day, nextUpdate: Date.now() - day }),
    reason: 'crl_expired',
  },
  'path length broken': { leaf: await tooDeep.issue({ cn: 'x' }), reason: 'path_len' },
  'by a certificate that is no CA': { leaf: await noCa.issue({ cn: 'x' }), reason: 'bad_purpose' },
  RSA: { leaf: await intermediate.issue({ cn: 'x', keyType: 'rsa' }), reason: 'success' },
  Ed25519: { leaf: await intermediate.issue({ cn: 'x', keyType: 'ed25519' }), reason: 'success' },
  'a hostile name': { leaf: await intermediate.issue({ subject: [['CN', 'a\n,"+\0']] }), reason: 'success' },
  'an empty name': { leaf: await intermediate.issue({ subject: [], hosts: ['a.test'] }), reason: 'success' },
};

const certificates = (pem: string): Buffer[] => readCertificates(Buffer.from(pem), 'test');

/** What a real handshake over TCP says, by a client that has the key. */
async function shakeHands(one: Case): Promise<Verdict> {
  const own = await selfSigned({ cn: 'localhost', usage: 'server' });
  const server = createServer({
    cert: own.cert,
    key: own.key,
    ca: root.cert,
    requestCert: true,
    rejectUnauthorized: false,
    ...(one.crl === undefined ? {} : { crl: one.crl }),
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = connect({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    cert: one.chain ?? one.leaf.bundle,
    key: one.leaf.key,
  });
  client.on('error', () => {});
  try {
    const [socket] = (await once(server, 'secureConnection')) as [TLSSocket];
    socket.on('error', () => {});
    return verdictOfSocket(socket, true);
  } finally {
    client.destroy();
    server.close();
  }
}

const summary = (verdict: Verdict): string => (verdict.status === 'failed' ? verdict.reason : verdict.status);

for (const [name, one] of Object.entries(cases)) {
  void t.test(`the verdict without a key is the one of a handshake with it: ${name}`, async (t) => {
    const chain = certificates(one.chain ?? one.leaf.bundle);
    const judged = await judgeChain(chain, { ca: root.cert, crl: one.crl ?? null, verifyDepth: 5 });
    t.equal(summary(judged), one.reason);
    t.match(summary(await shakeHands(one)), one.reason);
  });
}

void t.test('the depth of the chain is held to what the host allows', async (t) => {
  const deep = await createAuthority({ cn: 'Deep', parent: intermediate });
  const leaf = await deep.issue({ cn: 'x' });
  const chain = certificates(leaf.bundle);
  t.equal(summary(await judgeChain(chain, { ca: root.cert, crl: null, verifyDepth: 2 })), 'success');
  t.equal(summary(await judgeChain(chain, { ca: root.cert, crl: null, verifyDepth: 1 })), 'chain_too_long');
});

void t.test('bytes that are no certificate end in a clear error', async (t) => {
  const trust = { ca: root.cert, crl: null, verifyDepth: 1 };
  for (const bytes of [
    Buffer.from('garbage'),
    Buffer.alloc(0),
    Buffer.from('3000', 'hex'),
    good.der.subarray(0, 100),
  ]) {
    await t.rejects(judgeChain([bytes], trust), /the handshake refuses the certificate/);
  }
  await t.rejects(judgeChain([], trust), /the handshake/);
  const many = Array.from({ length: 2000 }, () => good.der);
  await t.rejects(judgeChain(many, trust), /the handshake refuses the certificate: excessive message size/);
});

void t.test(
  'a mutated chain gets a verdict or a clear error, never a good one for another certificate',
  async (t) => {
    const trust = { ca: root.cert, crl: null, verifyDepth: 1 };
    const [leaf, above] = certificates(good.bundle) as [Buffer, Buffer];
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.nat(leaf.byteLength - 1),
        fc.integer({ min: 1, max: 255 }),
        async (first, at, flip) => {
          const bytes = Buffer.from(first ? leaf : above);
          bytes[at % bytes.byteLength]! ^= flip;
          try {
            const verdict = await judgeChain(first ? [bytes, above] : [leaf, bytes], trust);
            return verdict.status !== 'success';
          } catch (error) {
            return error instanceof PkiError;
          }
        },
      ),
      { numRuns: 200 },
    );
    t.pass();
  },
);
