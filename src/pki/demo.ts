import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { issuedRecord, makeCertificate, type Made, makeRoot } from './ceremony.ts';
import { type CsrRequest, readCsrJson } from './csr-json.ts';
import { IssuerDatabase } from './database.ts';
import { certificateMode, keyMode, type Output, readBytes, writeAll } from './files.ts';
import { issuerOf } from './issuer.ts';
import { isIssuedBy, isSelfSigned } from './issuer-files.ts';
import { parseJson } from './json-file.ts';
import { withLock } from './lock.ts';
import { readCertificates, toPem } from './pem.ts';
import { type Profile, readProfiles } from './profile.ts';
import type { BoundedIssuer } from './signing.ts';
import { day } from './time.ts';

/** Where the JSON files lie that the demo PKI is made of: `certs/`, beside `src` and beside `dist`. */
const recipes = fileURLToPath(new URL('../../certs/', import.meta.url));

/** What a demo folder holds: for each name a certificate and its key. */
const names = ['root', 'intermediate', 'server', 'roshankhatri', 'sales', 'expired', 'foreign'] as const;
type DemoName = (typeof names)[number];

/** A certificate that ends within a day is made anew. */
const margin = day;

/** A certificate file and its key, as found. */
interface Pair {
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
  /** What else is in the certificate's file. */
  readonly rest: readonly Buffer[];
}

/** What a folder holds of a demo PKI that can stay as it is. */
type Found = Partial<Record<DemoName, Pair>>;

async function recipe(name: string): Promise<CsrRequest> {
  const path = join(recipes, `${name}.json`);
  return readCsrJson(parseJson((await readBytes(path)).toString('utf8'), path));
}

async function readPair(dir: string, name: DemoName): Promise<Pair | null> {
  try {
    const [der, ...rest] = readCertificates(await readFile(join(dir, `${name}.pem`)), name);
    const certificate = new X509Certificate(der!);
    const key = createPrivateKey(await readFile(join(dir, `${name}-key.pem`)));
    return certificate.checkPrivateKey(key) ? { certificate, key, rest } : null;
  } catch {
    return null;
  }
}

/** Keeps what fits together and is current; whatever hangs below something that does not goes with it. */
async function find(dir: string, now: number): Promise<Found> {
  const found: Found = {};
  const current = ({ certificate }: Pair): boolean => certificate.validToDate.getTime() > now + margin;
  const root = await readPair(dir, 'root');
  if (root === null || !current(root) || !root.certificate.ca || !isSelfSigned(root.certificate))
    return found;
  found.root = root;
  const intermediate = await readPair(dir, 'intermediate');
  if (intermediate === null || !current(intermediate) || !intermediate.certificate.ca) return found;
  if (!isIssuedBy(intermediate.certificate, root.certificate)) return found;
  found.intermediate = intermediate;
  for (const name of names) {
    const pair = name in found ? null : await readPair(dir, name);
    if (pair === null || current(pair) === (name === 'expired')) continue;
    const ours = isIssuedBy(pair.certificate, intermediate.certificate);
    if (ours === (name !== 'foreign')) found[name] = pair;
  }
  return found;
}

/** Leaves are sent with the intermediate; a file of `pki issue` has it in its bundle alone. */
function lacksChain(name: DemoName, found: Found): boolean {
  if (name === 'root' || name === 'intermediate' || name === 'foreign') return false;
  const { intermediate } = found;
  return intermediate === undefined || found[name]?.rest[0]?.equals(intermediate.certificate.raw) !== true;
}

const isComplete = (found: Found): boolean =>
  names.every((name) => found[name] !== undefined && !lacksChain(name, found));

/** Makes what is missing, in the order in which one needs the other. */
class DemoMaker {
  readonly #dir: string;
  readonly #found: Found;
  readonly #now: number;
  readonly #outputs: Output[] = [];
  #chain = '';

  constructor(dir: string, found: Found, now: number) {
    this.#dir = dir;
    this.#found = found;
    this.#now = now;
  }

  async make(): Promise<void> {
    const path = join(recipes, 'profiles.json');
    const profiles = readProfiles(parseJson((await readBytes(path)).toString('utf8'), path));
    const root = await this.#issuer('root', async () => await makeRoot(await recipe('root'), this.#now));
    const intermediate = await this.#issuer('intermediate', async () => {
      const request = await recipe('intermediate');
      return await makeCertificate(request, profiles.get('intermediate'), root, this.#now);
    });
    const client = profiles.get('client');
    // Valid for one day a month ago, by an issuer that for this once was there already.
    const monthAgo = this.#now - 30 * day;
    const former = { ...intermediate, notBefore: monthAgo - day };
    await this.#leaf('server', profiles.get('server'), intermediate);
    await this.#leaf('roshankhatri', client, intermediate);
    await this.#leaf('sales', client, intermediate);
    await this.#leaf('expired', { ...client, expiry: day }, former, monthAgo);
    if (this.#found.foreign === undefined) {
      const stranger = await makeRoot(await recipe('foreign-root'), this.#now);
      await this.#leaf('foreign', client, issuerOf(stranger.signed.der, stranger.key));
    }
    await writeAll(this.#outputs);
  }

  #put(file: string, content: string, mode: number): void {
    this.#outputs.push({ path: join(this.#dir, file), content, mode, replace: true });
  }

  async #record(issuer: 'root' | 'intermediate', der: Uint8Array, profile: string): Promise<void> {
    const database = new IssuerDatabase(join(this.#dir, `${issuer}-db.jsonl`));
    await database.append(issuedRecord(der, profile, this.#now));
  }

  async #issuer(name: 'root' | 'intermediate', make: () => Promise<Made>): Promise<BoundedIssuer> {
    const there = this.#found[name];
    if (there === undefined) {
      // Another CA: what the one before it issued is none of its business.
      await rm(join(this.#dir, `${name}-db.jsonl`), { force: true });
      const made = await make();
      this.#put(`${name}-key.pem`, made.keyPem, keyMode);
      this.#put(`${name}.pem`, made.certificate, certificateMode);
      await this.#record('root', made.signed.der, name);
      if (name === 'intermediate') this.#chain = made.certificate;
      return issuerOf(made.signed.der, made.key);
    }
    const { certificate, key } = there;
    if (name === 'intermediate') this.#chain = toPem('CERTIFICATE', certificate.raw);
    return issuerOf(certificate.raw, key);
  }

  async #leaf(name: DemoName, profile: Profile, issuer: BoundedIssuer, at = this.#now): Promise<void> {
    const there = this.#found[name];
    if (there !== undefined) {
      if (lacksChain(name, this.#found)) {
        this.#put(`${name}.pem`, toPem('CERTIFICATE', there.certificate.raw) + this.#chain, certificateMode);
      }
      return;
    }
    const made = await makeCertificate(await recipe(name), profile, issuer, at);
    this.#put(`${name}-key.pem`, made.keyPem, keyMode);
    this.#put(`${name}.pem`, made.certificate + (name === 'foreign' ? '' : this.#chain), certificateMode);
    if (name !== 'foreign') {
      await this.#record('intermediate', made.signed.der, name === 'server' ? 'server' : 'client');
    }
  }
}

/**
 * Makes the demo PKI in `dir`: root, intermediate, a server certificate, the clients roshankhatri, sales (another OU),
 * expired, and foreign (another CA), each as `NAME.pem` (with the intermediate where there is one to send) and
 * `NAME-key.pem` (mode 0600). What is there, fits together and is current stays, be it an earlier run's or made by the
 * pki commands; only the rest is made, so a run that was killed is made good by the next. Two at once wait for each
 * other. Returns whether anything was written. Throws PkiError.
 */
export async function makeDemoPki(dir: string, now = Date.now()): Promise<boolean> {
  if (isComplete(await find(dir, now))) return false;
  await mkdir(dir, { recursive: true });
  return await withLock(join(dir, '.lock'), async () => {
    const found = await find(dir, now);
    if (isComplete(found)) return false;
    await new DemoMaker(dir, found, now).make();
    return true;
  });
}
