import { ordinal, quote } from './text.ts';

/** Bytes of a line at most; `htpasswd` itself stops at 255. */
const longestLine = 1024;

/** A bcrypt cost past this takes seconds in JavaScript: a stranger's guess must not take them. */
const highestBcryptCost = 12;

/** An htpasswd file, read: names and hashes in their order, and what cannot be used. */
export interface Htpasswd {
  readonly entries: readonly (readonly [name: string, hash: string])[];
  readonly problems: readonly string[];
}

/**
 * Reads an htpasswd file as `htpasswd -B`, `-m` and `-s` write it: `name:hash` a line, `#` for comments. Hashes are
 * bcrypt (`$2y$`, `$2a$`, `$2b$`), Apache's MD5 (`$apr1$`) and `{SHA}`. Others that nginx's crypt(3) knows are
 * problems here, and so are passwords in plain text: whoever reads the file must not be able to use them.
 */
export function readHtpasswd(text: string): Htpasswd {
  const entries: [string, string][] = [];
  const problems: string[] = [];
  for (const [index, written] of text.split('\n').entries()) {
    const line = written.trim();
    if (line === '' || line.startsWith('#')) continue;
    const colon = line.indexOf(':');
    const where = `the ${ordinal(index + 1)} line`;
    if (colon < 1 || line.length > longestLine) {
      problems.push(`${where} is not \`name:hash\``);
      continue;
    }
    const name = line.slice(0, colon);
    // nginx ends the hash at the next colon.
    const hash = line.slice(colon + 1).split(':', 1)[0]!;
    const fault = faultOf(hash);
    if (fault === null) entries.push([name, hash]);
    else problems.push(`${where}, user ${quote(name)}: ${fault}`);
  }
  return { entries, problems };
}

function faultOf(hash: string): string | null {
  const bcrypt = /^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}$/.exec(hash);
  if (bcrypt !== null) {
    const cost = Number(bcrypt[1]);
    if (cost >= 4 && cost <= highestBcryptCost) return null;
    return `a bcrypt cost of ${cost}: 4 to ${highestBcryptCost} are taken, write it anew with \`htpasswd -B\``;
  }
  if (/^\$apr1\$[^$]{1,8}\$[./A-Za-z0-9]{22}$/.test(hash)) return null;
  if (/^\{SHA\}[A-Za-z0-9+/]{27}=$/.test(hash)) return null;
  return 'a hash that is not bcrypt, apr1 or {SHA}: write it anew with `htpasswd -B`';
}
