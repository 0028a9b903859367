import { createPrivateKey, createPublicKey, hash, type KeyObject, X509Certificate } from 'node:crypto';
import { open } from 'node:fs/promises';
import { readCertificate } from './certificate-reader.ts';
import { chainTree } from './chain-tree.ts';
import { eachCrl } from './crl-file.ts';
import { type CrlFacts, readCrl } from './crl-reader.ts';
import { readCsr } from './csr-reader.ts';
import {
  daysUntil,
  describeAltNames,
  describeCertificate,
  describeKey,
  nameText,
  signatureName,
  subjectKeyIdOf,
} from './describe.ts';
import { messageOf, PkiError } from './error.ts';
import { readBytes, reasonOf } from './files.ts';
import type { Inspection, KeyReport, Report } from './inspection-report.ts';
import { spkiOf } from './key.ts';
import { extensionOids } from './oid.ts';
import { type PemBlock, readPem } from './pem.ts';
import { looksLikePkcs12, readPkcs12 } from './pkcs12-reader.ts';
import { printable } from './printable.ts';

export interface InspectionIo {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly stdin: AsyncIterable<Uint8Array | string>;
  /** Asked only for a PKCS#12 file. */
  readonly passphrase: (file: string) => Promise<string>;
}

/** Entries of a CRL that a report shows. */
const shownEntries = 20;

/** Certificates seen so far, as possible signers of CRLs. */
type Pool = Uint8Array[];

/** What remains to be said of a file once all certificates are known. */
type Task = (pool: Pool) => Promise<Report[]>;

function signersFrom(pool: Pool): (issuer: Buffer, keyId: string | null) => KeyObject[] {
  return (issuer, keyId) => {
    const keys: KeyObject[] = [];
    for (const der of pool) {
      const parts = readCertificate(der);
      const offered = subjectKeyIdOf(parts);
      if (!issuer.equals(parts.subject) || (keyId !== null && offered !== null && keyId !== offered))
        continue;
      try {
        keys.push(new X509Certificate(der).publicKey);
      } catch {
        // A key of a kind that OpenSSL does not know signs nothing that it could check.
      }
    }
    return keys;
  };
}

const iso = (moment: number): string => new Date(moment).toISOString().replace('.000Z', 'Z');

async function inspectCrl(
  file: string,
  source: AsyncIterable<Uint8Array>,
  pool: Pool,
  now: number,
): Promise<Report> {
  const revoked: { serial: string; at: string; reason: string | null }[] = [];
  const facts: CrlFacts = await readCrl(source, {
    onEntry({ serial, at, reason }) {
      if (revoked.length < shownEntries) revoked.push({ serial, at: iso(at), reason });
    },
    keys: signersFrom(pool),
  });
  return {
    file,
    kind: 'crl',
    issuer: nameText(facts.issuer),
    number: facts.number,
    thisUpdate: iso(facts.thisUpdate),
    nextUpdate: facts.nextUpdate === null ? null : iso(facts.nextUpdate),
    daysLeft: facts.nextUpdate === null ? null : daysUntil(facts.nextUpdate, now),
    entries: facts.entries,
    revoked,
    signature: signatureName(facts.signatureAlgorithm),
    signatureValid: facts.verified,
    signatureNote: facts.signatureNote,
    unknownCritical: facts.unknownCritical,
  };
}

function inspectCsr(file: string, der: Uint8Array): Report {
  const csr = readCsr(der);
  const san = csr.extensions.find(({ oid }) => oid === extensionOids.subjectAltName);
  return {
    file,
    kind: 'csr',
    subject: nameText(csr.subject),
    altNames: describeAltNames(san?.value),
    key: describeKey(csr.publicKey),
    signature: signatureName(csr.signatureAlgorithm),
    signatureValid: csr.signatureValid,
  };
}

const keyReport = (key: KeyObject): KeyReport => ({
  kind: 'private key',
  key: describeKey(key),
  encrypted: false,
  spki: hash('sha256', spkiOf(key)),
});

function inspectKey(file: string, { label, text }: PemBlock): Report {
  const encrypted = label === 'ENCRYPTED PRIVATE KEY' || text.includes('Proc-Type: 4,ENCRYPTED');
  if (encrypted) return { file, kind: 'private key', key: null, encrypted, spki: null };
  try {
    return { file, ...keyReport(createPrivateKey(text)) };
  } catch {
    return { file, kind: 'private key', key: null, encrypted, spki: null };
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** One thing of a kind that its PEM label names. Problems of one block do not hide the others. */
async function inspectBlock(file: string, block: PemBlock, pool: Pool, now: number): Promise<Report> {
  const { label, der } = block;
  try {
    if (label === 'CERTIFICATE' || label === 'X509 CERTIFICATE')
      return { file, ...describeCertificate(der, now) };
    if (label.endsWith('CERTIFICATE REQUEST')) return inspectCsr(file, der);
    if (label === 'X509 CRL') return await inspectCrl(file, once(der), pool, now);
    if (label.endsWith('PRIVATE KEY')) return inspectKey(file, block);
    if (label === 'PUBLIC KEY')
      return { file, kind: 'other', label, problem: describeKey(createPublicKey(block.text)) };
    return { file, kind: 'other', label, problem: 'of no kind that is looked into' };
  } catch (error) {
    if (error instanceof PkiError) return { file, kind: 'other', label, problem: error.message };
    return { file, kind: 'other', label, problem: `cannot be read: ${messageOf(error)}` };
  }
}

async function inspectPkcs12(file: string, bytes: Buffer, io: InspectionIo, pool: Pool): Promise<Task> {
  const content = await readPkcs12(bytes, await io.passphrase(file));
  const certificates = content.certificates.map((der): Report => {
    const report = describeCertificate(der, io.now);
    pool.push(der);
    return { file, ...report };
  });
  const own: Report = {
    file,
    kind: 'pkcs12',
    friendlyNames: content.friendlyNames.map((name) => printable(name)),
    protection: content.protection,
    mac: content.mac,
    keys: content.keys.map(keyReport),
    certificates: certificates.length,
  };
  return async () => [own, ...certificates];
}

function derTask(file: string, bytes: Buffer, pool: Pool, now: number): Task {
  try {
    const report = describeCertificate(bytes, now);
    pool.push(bytes);
    return async () => [{ file, ...report }];
  } catch (problem) {
    return async () => {
      const others: (() => Report | Promise<Report>)[] = [
        () => inspectCsr(file, bytes),
        async () => await inspectCrl(file, once(bytes), pool, now),
        () => ({ file, ...keyReport(createPrivateKey({ key: bytes, format: 'der', type: 'pkcs8' })) }),
      ];
      for (const other of others) {
        try {
          return [await other()];
        } catch {
          // Of another kind, then.
        }
      }
      throw new PkiError(`${file}: no certificate, CSR, CRL, key or PKCS#12 file (${messageOf(problem)})`);
    };
  }
}

/** Whether a file is a CRL to be streamed: PEM that begins with one, or DER past what anything else may have. */
async function isLongCrl(file: string): Promise<boolean> {
  let handle;
  try {
    handle = await open(file, 'r');
    const { size } = await handle.stat();
    const head = Buffer.alloc(4096);
    const { bytesRead } = await handle.read(head, 0, head.byteLength, 0);
    const start = head.subarray(0, bytesRead);
    if (size <= 256 * 1024 || looksLikePkcs12(start)) return false;
    return start[0] === 0x30 || start.indexOf('-----BEGIN ') === start.indexOf('-----BEGIN X509 CRL-----');
  } catch (error) {
    throw new PkiError(`cannot read ${file}: ${reasonOf(error)}`);
  } finally {
    await handle?.close();
  }
}

async function taskFor(file: string, io: InspectionIo, pool: Pool): Promise<Task> {
  if (file !== '-' && (await isLongCrl(file))) {
    return async (known) => await eachCrl(file, async (der) => await inspectCrl(file, der, known, io.now));
  }
  const bytes = await readBytes(file, io.stdin);
  if (looksLikePkcs12(bytes)) return await inspectPkcs12(file, bytes, io, pool);
  if (!bytes.includes('-----BEGIN ')) return derTask(file, bytes, pool, io.now);
  const blocks = readPem(bytes.toString('latin1'));
  if (blocks.length === 0) throw new PkiError(`${file}: there is nothing in PEM in it`);
  for (const { label, der } of blocks) {
    if (label !== 'CERTIFICATE' && label !== 'X509 CERTIFICATE') continue;
    try {
      describeCertificate(der, io.now);
      pool.push(der);
    } catch {
      // Its own report will say what is wrong with it.
    }
  }
  return async (known) => {
    const reports: Report[] = [];
    for (const block of blocks) reports.push(await inspectBlock(file, block, known, io.now));
    return reports;
  };
}

/** Looks into files (`-`: standard input). Throws PkiError where a whole file can be nothing of ours. */
export async function inspectFiles(files: readonly string[], io: InspectionIo): Promise<Inspection> {
  const pool: Pool = [];
  const tasks: Task[] = [];
  for (const file of files) tasks.push(await taskFor(file, io, pool));
  const reports: Report[] = [];
  for (const task of tasks) reports.push(...(await task(pool)));
  const { parents, missing } = chainTree(pool);
  const subjects = pool.map((der) => nameText(readCertificate(der).subject));
  return { reports, chain: { subjects, parents, missing } };
}
