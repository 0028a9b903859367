import { createHash, timingSafeEqual } from 'node:crypto';
import { compare } from 'bcryptjs';

/**
 * Whether a password is the one of a hash that `readHtpasswd` let through: bcrypt, `$apr1$` or `{SHA}`. Anything else is
 * not. bcrypt yields to the event loop every 100 ms at most.
 */
export async function passwordMatches(password: string, hash: string): Promise<boolean> {
  if (hash.startsWith('$2')) return compare(password, hash);
  if (hash.startsWith('$apr1$')) return same(apr1(password, hash.split('$')[2] ?? ''), hash);
  if (hash.startsWith('{SHA}')) {
    return same(`{SHA}${createHash('sha1').update(password).digest('base64')}`, hash);
  }
  return false;
}

function same(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
}

const alphabet = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Which octets of the digest stand in which group of characters (Apache's apr_md5.c; nginx's ngx_crypt.c alike). */
const groups: readonly (readonly number[])[] = [
  [0, 6, 12],
  [1, 7, 13],
  [2, 8, 14],
  [3, 9, 15],
  [4, 10, 5],
  [11],
];

/** Apache's variant of MD5-based crypt: a thousand rounds over password and salt. */
function apr1(password: string, salt: string): string {
  const secret = Buffer.from(password);
  const salted = Buffer.from(salt);
  const md5 = (...parts: readonly Uint8Array[]): Buffer => {
    const hash = createHash('md5');
    for (const part of parts) hash.update(part);
    return hash.digest();
  };
  const inner = md5(secret, salted, secret);
  const parts: Uint8Array[] = [secret, Buffer.from('$apr1$'), salted];
  for (let left = secret.length; left > 0; left -= 16) parts.push(inner.subarray(0, Math.min(16, left)));
  for (let bits = secret.length; bits > 0; bits >>= 1) {
    parts.push((bits & 1) === 1 ? Buffer.of(0) : secret.subarray(0, 1));
  }
  let digest = md5(...parts);
  for (let round = 0; round < 1000; round++) {
    const odd = round % 2 === 1;
    digest = md5(
      odd ? secret : digest,
      ...(round % 3 === 0 ? [] : [salted]),
      ...(round % 7 === 0 ? [] : [secret]),
      odd ? digest : secret,
    );
  }
  return `$apr1$${salt}$${groups.map((group) => encode(group.map((index) => digest[index] ?? 0))).join('')}`;
}

/** Six bits a character, the lowest first. */
function encode(octets: readonly number[]): string {
  let value = octets.reduce((sum, octet) => (sum << 8) | octet, 0);
  let text = '';
  for (let count = octets.length === 1 ? 2 : 4; count > 0; count--) {
    text += alphabet[value & 63];
    value >>= 6;
  }
  return text;
}
