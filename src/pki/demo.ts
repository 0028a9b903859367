import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { issuedRecord, makeCertificate, type Made, makeRoot } from './ceremony.ts';
import { type CsrRequest, readCsrJson } from './csr-json.ts';
import { IssuerDatabase } from './database.ts';
import { certificateMode, keyMode, type Output, readBytes, writeAll } from './files.ts';
import { issuerOf } from './issuer.ts';
import { parseJson } from './json-file.ts';
import { withLock } from './lock.ts';
import { type Profile, readProfiles } from './profile.ts';
import type { BoundedIssuer } from './signing.ts';
import { day } from './time.ts';

/** Where the JSON files lie that the demo PKI is made of: `certs/`, beside `src` and beside `dist`. */
const recipes = fileURLToPath(new URL('../../certs/', import.meta.url));

/** What a demo folder holds: for each name a certificate and its key. */
const names = ['root', 'intermediate', 'server', 'roshankhatri', 'sales', 'expired', 'foreign'] as const;
type DemoName = (typeof names)[number];

/** Written last: a folder without it was left by a run that was killed. */
const marker = 'complete';
/** A PKI that ends within a day is made anew. */
const margin = day;

async function recipe(name: string): Promise<CsrRequest> {
  const path = join(recipes, `${name}.json`);
  return readCsrJson(parseJson((await readBytes(path)).toString('utf8'), path));
}

async function isComplete(dir: string, now: number): Promise<boolean> {
  try {
    await readFile(join(dir, marker));
    for (const name of names) {
      const certificate = new X509Certificate(await readFile(join(dir, `${name}.pem`)));
      const key = await readFile(join(dir, `${name}-key.pem`));
      if (!certificate.checkPrivateKey(createPrivateKey(key))) return false;
      if (name !== 'expired' && certificate.validToDate.getTime() < now + margin) return false;
    }
    return true;
  } catch {
    return false;
  }
}

async function make(dir: string, now: number): Promise<void> {
  const profilePath = join(recipes, 'profiles.json');
  const profiles = readProfiles(parseJson((await readBytes(profilePath)).toString('utf8'), profilePath));
  const client = profiles.get('client');
  const issue = async (name: DemoName, profile: Profile, issuer: BoundedIssuer, at = now): Promise<Made> =>
    await makeCertificate(await recipe(name), profile, issuer, at);

  const root = await makeRoot(await recipe('root'), now);
  const rootIssuer = issuerOf(root.signed.der, root.key);
  const intermediate = await issue('intermediate', profiles.get('intermediate'), rootIssuer);
  const issuer = issuerOf(intermediate.signed.der, intermediate.key);
  const server = await issue('server', profiles.get('server'), issuer);
  const roshankhatri = await issue('roshankhatri', client, issuer);
  const sales = await issue('sales', client, issuer);
  // Issued a month ago for a day, by an issuer that for this once was there already.
  const monthAgo = now - 30 * day;
  const formerIssuer = { ...issuer, notBefore: monthAgo - day };
  const expired = await issue('expired', { ...client, expiry: day }, formerIssuer, monthAgo);
  const foreignRoot = await makeRoot(await recipe('foreign-root'), now);
  const foreign = await issue('foreign', client, issuerOf(foreignRoot.signed.der, foreignRoot.key));

  const outputs: Output[] = [];
  const put = (file: string, content: string, mode: number): void => {
    outputs.push({ path: join(dir, file), content, mode, replace: true });
  };
  const made: Record<DemoName, Made> = {
    root,
    intermediate,
    server,
    roshankhatri,
    sales,
    expired,
    foreign,
  };
  for (const name of names) {
    const withChain = name !== 'root' && name !== 'intermediate' && name !== 'foreign';
    put(`${name}-key.pem`, made[name].keyPem, keyMode);
    put(`${name}.pem`, made[name].certificate + (withChain ? intermediate.certificate : ''), certificateMode);
  }
  const rootDatabase = new IssuerDatabase(join(dir, 'root-db.jsonl'));
  const database = new IssuerDatabase(join(dir, 'intermediate-db.jsonl'));
  await Promise.all([rootDatabase, database].map(({ path }) => rm(path, { force: true })));
  await rootDatabase.append(issuedRecord(intermediate.signed.der, 'intermediate', now));
  for (const name of ['server', 'roshankhatri', 'sales', 'expired'] as const) {
    await database.append(issuedRecord(made[name].signed.der, name === 'server' ? 'server' : 'client', now));
  }
  await writeAll(outputs);
  await writeAll([
    {
      path: join(dir, marker),
      content: 'made by mtls-ingress; remove this file and the PKI is made anew\n',
      mode: certificateMode,
      replace: true,
    },
  ]);
}

/**
 * Makes the demo PKI in `dir` unless a complete and current one is there: root, intermediate, a server certificate,
 * the clients roshankhatri, sales (another OU), expired, and foreign (another CA), each as `NAME.pem` (with the
 * intermediate where there is one to send) and `NAME-key.pem` (mode 0600). A run that was killed is made good by the
 * next; two at once wait for each other. Returns whether anything was made. Throws PkiError.
 */
export async function makeDemoPki(dir: string, now = Date.now()): Promise<boolean> {
  if (await isComplete(dir, now)) return false;
  await mkdir(dir, { recursive: true });
  return await withLock(join(dir, '.lock'), async () => {
    if (await isComplete(dir, now)) return false;
    await rm(join(dir, marker), { force: true });
    await make(dir, now);
    return true;
  });
}
