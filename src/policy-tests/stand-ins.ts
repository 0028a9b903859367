import { randomBytes, X509Certificate } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import type { FileReference } from '../config/file-references.ts';
import { maxFileSize, type MaterialResult } from '../config/material.ts';
import { error } from '../config/problem.ts';
import { readBounded } from '../config/read-file.ts';
import { quote } from '../config/text.ts';
import { readCertificate } from '../pki/certificate-reader.ts';
import { encodeName, type Name } from '../pki/name.ts';
import { readCertificates } from '../pki/pem.ts';
import type { Material } from '../snapshot/compile.ts';
import { throwawayCertificate } from '../tls/throwaway-certificate.ts';
import { valuesOf } from '../tls/distinguished-name.ts';
import { readIdentity } from '../tls/identity-reader.ts';
import { crlOf, type StandInCa, standInCa } from './authority.ts';

/** CAs of one file that are stood in for; a bundle of every public root has about 150. */
const maxAuthorities = 500;

/** A trust store of the configuration, with throw-away CAs in it. */
export interface StandInStore {
  /** The CA file, as the configuration names it. */
  readonly file: string;
  /** The names are those of the CAs in the file; false: it is not there, and the name is made up. */
  readonly read: boolean;
  /** At least one. */
  readonly authorities: readonly StandInCa[];
}

const attribute = (oid: string, value: string): Name => [[{ oid, value }]];
const commonName = '2.5.4.3';

/**
 * Stands in for the files of a configuration, so that tests need neither its CAs' keys nor any file of it but itself:
 * each CA file is a store of throw-away CAs of the same names, certificates, keys and CRLs are made up, and the deny list
 * alone is the real one, since it says who is denied. Nothing is written.
 */
export class StandIns {
  readonly #stores = new Map<string, StandInStore>();
  /** By the hex of their names: a CA that two files hold is one. */
  readonly #roots = new Map<string, StandInCa>();
  /** By the hex of their names and of their issuers'. */
  readonly #intermediates = new Map<string, StandInCa>();
  #references: readonly FileReference[] = [];
  #denyList: string | null = null;
  #nobody: StandInCa | null = null;

  /** In place of `readMaterial`. */
  readonly read = async (
    configFile: string,
    references: readonly FileReference[],
  ): Promise<MaterialResult> => {
    this.#references = references;
    const folder = dirname(resolve(configFile));
    const findings: MaterialResult['findings'][number][] = [];
    for (const { file, role, path } of references) {
      if (role === 'ca' && !this.#stores.has(file)) {
        this.#stores.set(file, await this.#storeOf(file, resolve(folder, file)));
      }
      if (role !== 'denyList') continue;
      const read = await readBounded(resolve(folder, file), maxFileSize);
      if ('fault' in read) findings.push(error(path, `${quote(file)} ${read.fault}`));
      else this.#denyList = read.bytes.toString('utf8');
    }
    return { material: this.material(), findings, files: [] };
  };

  /** Those that clients are verified against. */
  get stores(): readonly StandInStore[] {
    const files = this.#references.filter(({ role, path }) => role === 'ca' && path.startsWith('/hosts/'));
    return [...new Set(files.map(({ file }) => file))].map((file) => this.#stores.get(file)!);
  }

  /** How many CAs there are by now: their CRLs are part of the material. */
  get size(): number {
    return this.#roots.size + this.#intermediates.size;
  }

  /** Whose certificates nobody trusts. */
  get nobody(): StandInCa {
    this.#nobody ??= standInCa(encodeName(attribute(commonName, 'Trusted by nobody')));
    return this.#nobody;
  }

  /** The store whose CAs a snapshot has for a trust store: by their PEM. */
  storeOfPem(ca: string): StandInStore | null {
    return this.stores.find((store) => pemOf(store) === ca) ?? null;
  }

  store(file: string): StandInStore | null {
    return this.stores.find((store) => store.file === file) ?? null;
  }

  /**
   * The CA of a store that has this name, as a text its CN. Where the store has none, an intermediate of that name below
   * its first CA, which clients send along.
   */
  authority(store: StandInStore, name: string | Name): StandInCa {
    const subject = encodeName(typeof name === 'string' ? attribute(commonName, name) : name);
    const known = store.authorities.find(({ der, issuer }) =>
      typeof name === 'string' ? commonNamesOf(der).includes(name) : subject.equals(issuer.name),
    );
    if (known !== undefined) return known;
    const [parent] = store.authorities;
    const key = `${hex(parent!.issuer.name)} ${hex(subject)}`;
    let made = this.#intermediates.get(key);
    if (made === undefined) this.#intermediates.set(key, (made = standInCa(subject, parent)));
    return made;
  }

  /** What stands for each file. @param revoked Serial numbers, on the CRL of every CA. */
  material(revoked: readonly Uint8Array[] = []): Material {
    const authorities = [...this.#roots.values(), ...this.#intermediates.values()];
    let crls: string | null = null;
    const material = new Map<string, string>();
    for (const { file, role } of this.#references) {
      const text = this.#textOf(
        file,
        role,
        () => (crls ??= authorities.map((ca) => crlOf(ca, revoked)).join('')),
      );
      const before = material.get(file) ?? '';
      if (text !== null && !before.includes(text)) material.set(file, before + text);
    }
    return material;
  }

  #textOf(file: string, role: FileReference['role'], crls: () => string): string | null {
    switch (role) {
      case 'ca':
        return pemOf(this.#stores.get(file)!);
      case 'crl':
        return crls();
      case 'certificate':
        return throwawayCertificate().cert;
      case 'key':
        return throwawayCertificate().key;
      case 'denyList':
        return this.#denyList;
      case 'users':
        // The hash of no password.
        return `nobody:{SHA}${'A'.repeat(27)}=\n`;
      case 'tokens':
        return `nobody:${randomBytes(16).toString('hex')}\n`;
      case 'ocspResponse':
        return 'none';
    }
  }

  async #storeOf(file: string, path: string): Promise<StandInStore> {
    const subjects = await subjectsIn(path, file);
    const named = subjects ?? [encodeName(attribute(commonName, `Stand-in for ${file}`))];
    const authorities = named.map((subject) => {
      const key = hex(subject);
      let root = this.#roots.get(key);
      if (root === undefined) this.#roots.set(key, (root = standInCa(subject)));
      return root;
    });
    return { file, read: subjects !== null, authorities };
  }
}

const pemOf = ({ authorities }: StandInStore): string => authorities.map(({ pem }) => pem).join('');

const hex = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('hex');

/** The names of the CAs in a file, DER, each once; null where it cannot be read. */
async function subjectsIn(path: string, file: string): Promise<readonly Buffer[] | null> {
  const read = await readBounded(path, maxFileSize);
  if ('fault' in read) return null;
  try {
    const subjects = readCertificates(read.bytes, file)
      .slice(0, maxAuthorities)
      .filter((der) => new X509Certificate(der).ca)
      .map((der) => Buffer.from(readCertificate(der).subject));
    const distinct = [...new Map(subjects.map((subject) => [hex(subject), subject])).values()];
    return distinct.length === 0 ? null : distinct;
  } catch {
    return null;
  }
}

function commonNamesOf(der: Uint8Array): readonly string[] {
  return valuesOf(readIdentity(der).subject, commonName);
}
