import { createPublicKey, X509Certificate } from 'node:crypto';
import { basename } from 'node:path';
import { valuesOf } from '../../tls/distinguished-name.ts';
import { DerReader } from '../../tls/der.ts';
import { readName } from '../../tls/identity-reader.ts';
import { readCertificate, reading, parseX509 } from '../certificate-reader.ts';
import { PkiError } from '../error.ts';
import { exists, keyMode, readBytes, writeAll } from '../files.ts';
import { isIssuedBy, stemOf } from '../issuer-files.ts';
import { readPrivateKey } from '../key-file.ts';
import { attributeOids } from '../oid.ts';
import { askPassphrase, readPassphrase } from '../passphrase.ts';
import { readCertificates } from '../pem.ts';
import { writePkcs12 } from '../pkcs12-writer.ts';
import { keyPassphrase } from './issuer-options.ts';
import { refuseExisting } from './output.ts';
import { type Context, flag, list, type Subcommand, text, type Values } from './subcommand.ts';

/** The chain above the leaf, in order, from whatever certificates are at hand. */
function chainFrom(leaf: X509Certificate, pool: readonly X509Certificate[]): X509Certificate[] {
  const chain: X509Certificate[] = [];
  const used = new Set([leaf.fingerprint256]);
  for (let last = leaf; ;) {
    const issuer = pool.find((one) => !used.has(one.fingerprint256) && isIssuedBy(last, one));
    if (issuer === undefined) return chain;
    used.add(issuer.fingerprint256);
    chain.push(issuer);
    last = issuer;
  }
}

async function passphraseFor(values: Values, context: Context, out: string): Promise<string> {
  const file = text(values, 'passphrase-file');
  const env = text(values, 'passphrase-env');
  const source = { ...(file === undefined ? {} : { file }), ...(env === undefined ? {} : { env }) };
  const given = await readPassphrase(source, context.io);
  if (given !== null) return given;
  const first = await askPassphrase(`Passphrase for ${out}: `, context.io);
  if (first !== (await askPassphrase('The same again: ', context.io))) throw new PkiError('the two differ');
  return first;
}

function friendlyNameOf(leaf: X509Certificate, fallback: string): string {
  const { subject } = readCertificate(leaf.raw);
  const name = reading('certificate', () => readName(new DerReader(subject), 'subject'));
  return valuesOf(name, attributeOids['CN']!).at(-1) ?? fallback;
}

function sayHowToImport(path: string, context: Context): void {
  const name = basename(path);
  for (const line of [
    'import it, then open the site and choose the certificate:',
    `  macOS Keychain    security import ${path} -f pkcs12 -k ~/Library/Keychains/login.keychain-db`,
    '  Firefox           Settings, Privacy & Security, View Certificates, Your Certificates, Import',
    `  Chrome on Linux   pk12util -d sql:$HOME/.pki/nssdb -i ${path}`,
    `  Windows           certutil -user -importPFX ${name}   (or open the file)`,
    `  curl              curl --cert-type P12 --cert ${path} --config FILE https://…   (in FILE: pass = "…")`,
  ]) {
    context.say(line);
  }
}

/** `pki p12`: a file for browsers. */
export const p12: Subcommand = {
  usage: 'CERT.pem [--key FILE] [--chain FILE] [--out FILE.p12]',
  summary: 'put key, certificate and chain into a PKCS#12 file for browsers',
  help: `Encrypted with AES-256-CBC under PBKDF2-SHA-256. The passphrase comes from a file, from the environment, or is asked
for on the terminal; it is never an argument, since those show in "ps".

  --key FILE                      default: NAME-key.pem beside NAME.pem
  --chain FILE                    more certificates for the chain, the root for instance; may come more than once.
                                  What is in CERT.pem and in NAME-bundle.pem is found by itself
  --name TEXT                     what the browser shows; default: the CN
  --passphrase-file FILE          its first line
  --passphrase-env NAME
  --key-passphrase-file FILE      for an encrypted key; without: asked for on the terminal
  --key-passphrase-env NAME
  -o, --out FILE                  default: NAME.p12
  -f, --force                     replace it`,
  options: {
    key: { type: 'string' },
    chain: { type: 'string', multiple: true },
    name: { type: 'string' },
    'passphrase-file': { type: 'string' },
    'passphrase-env': { type: 'string' },
    'key-passphrase-file': { type: 'string' },
    'key-passphrase-env': { type: 'string' },
    out: { type: 'string', short: 'o' },
    force: { type: 'boolean', short: 'f' },
  },
  positionals: { min: 1, max: 1 },
  async run([file = ''], values, context) {
    const stem = stemOf(file);
    const out = text(values, 'out') ?? `${stem}.p12`;
    const force = flag(values, 'force');
    await refuseExisting([out], force);
    const own = readCertificates(await readBytes(file), file).map((der) => parseX509(der, file));
    const leaf = own[0]!;
    const keyPath = text(values, 'key') ?? `${stem}-key.pem`;
    const key = await readPrivateKey(keyPath, keyPassphrase(values, context, 'key-'));
    if (!createPublicKey(key).equals(leaf.publicKey))
      throw new PkiError(`${keyPath} is not the key of ${file}`);
    const pool = own.slice(1);
    const bundle = `${stem}-bundle.pem`;
    for (const path of [...((await exists(bundle)) ? [bundle] : []), ...list(values, 'chain')]) {
      pool.push(...readCertificates(await readBytes(path), path).map((der) => parseX509(der, path)));
    }
    const chain = chainFrom(leaf, pool);
    if (chain.length === 0 && !isIssuedBy(leaf, leaf)) {
      context.warn('no intermediate found: the server must know the issuer itself; --chain FILE adds it');
    }
    const passphrase = await passphraseFor(values, context, out);
    const content = await writePkcs12(
      {
        key,
        certificates: [leaf, ...chain].map(({ raw }) => raw),
        friendlyName: text(values, 'name') ?? friendlyNameOf(leaf, basename(stem)),
      },
      passphrase,
    );
    await writeAll([{ path: out, content, mode: keyMode, replace: force }]);
    context.say(`wrote ${out}: the key, the certificate and ${chain.length} more of its chain`);
    sayHowToImport(out, context);
    return 0;
  },
};
