import { createHash } from 'node:crypto';
import { ordinal } from './text.ts';

/** A secret that whoever shows it is known by. Only its digest is kept. */
export interface Token {
  /** For the log. */
  readonly name: string;
  /** SHA-256. */
  readonly digest: Buffer;
}

export interface Tokens {
  readonly tokens: readonly Token[];
  readonly problems: readonly string[];
}

/** Enough to hand each reader its own, and to have the next one beside the last. */
const maxTokens = 64;

/**
 * Reads a file of tokens: one a line, `token` or `name:token`, `#` for comments. A token has at least 128 bits, as
 * `openssl rand -hex 16` or `-base64 24` makes them. What a problem is about is never repeated in it.
 */
export function readTokens(contents: string): Tokens {
  const tokens: Token[] = [];
  const problems: string[] = [];
  for (const [index, written] of contents.split('\n').entries()) {
    const line = written.trim();
    if (line === '' || line.startsWith('#')) continue;
    const where = `the ${ordinal(index + 1)} line`;
    const match = /^(?:(?<name>[A-Za-z0-9._-]{1,64}):)?(?<token>[A-Za-z0-9._~+/=-]{1,512})$/.exec(line);
    const token = match?.groups?.['token'] ?? '';
    if (match === null) {
      problems.push(`${where} is not \`token\` or \`name:token\`, in letters, digits and ._~+/=-`);
    } else if (!isLongEnough(token)) {
      problems.push(`${where}: a token needs 128 bits: make one with \`openssl rand -hex 16\``);
    } else {
      const name = match.groups?.['name'] ?? `${index + 1}`;
      tokens.push(Object.freeze({ name, digest: createHash('sha256').update(token).digest() }));
    }
  }
  if (tokens.length === 0 && problems.length === 0) problems.push('it holds no token');
  if (tokens.length > maxTokens) problems.push(`it holds ${tokens.length} tokens: at most ${maxTokens}`);
  return { tokens: Object.freeze(tokens), problems };
}

/**
 * Whether it can hold 128 bits: by its length in the alphabet that it is written in, and not by one character over and
 * over. Of random ones in a million at most one is refused for that.
 */
function isLongEnough(token: string): boolean {
  const plain = token.replace(/=+$/, '');
  const bits = /^[0-9a-f]+$/i.test(plain) ? 4 : 6;
  return Math.floor(plain.length * bits) >= 128 && new Set(plain).size >= 8;
}
