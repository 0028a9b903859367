import { hash } from 'node:crypto';

/** What a key is derived for (RFC 7292 B.3). */
export const kdfPurpose = Object.freeze({ key: 1, iv: 2, mac: 3 });

const sizes = {
  sha1: { block: 64, output: 20 },
  sha256: { block: 64, output: 32 },
  sha384: { block: 128, output: 48 },
  sha512: { block: 128, output: 64 },
} as const;

export type KdfDigest = keyof typeof sizes;

/** A passphrase as PKCS#12's own derivation wants it: UTF-16 big-endian with a NUL at the end. */
export function bmpPassphrase(passphrase: string): Buffer {
  return Buffer.from(`${passphrase}\0`, 'utf16le').swap16();
}

function repeated(bytes: Uint8Array, block: number): Buffer {
  const length = Math.ceil(bytes.byteLength / block) * block;
  return Buffer.alloc(length, length === 0 ? 0 : bytes);
}

/** The key derivation of PKCS#12 (RFC 7292 Appendix B.2). Takes about a microsecond for an iteration. */
export function deriveKey(
  digest: KdfDigest,
  passphrase: string,
  salt: Uint8Array,
  iterations: number,
  purpose: number,
  length: number,
): Buffer {
  const { block, output } = sizes[digest];
  const diversifier = Buffer.alloc(block, purpose);
  const input = Buffer.concat([repeated(salt, block), repeated(bmpPassphrase(passphrase), block)]);
  const result: Buffer[] = [];
  for (let made = 0; made < length; made += output) {
    let round = hash(digest, Buffer.concat([diversifier, input]), 'buffer');
    for (let count = 1; count < iterations; count++) round = hash(digest, round, 'buffer');
    result.push(round);
    // I_j = (I_j + B + 1) mod 2^(8·block)
    const addend = repeated(round, block).subarray(0, block);
    for (let start = 0; start < input.byteLength; start += block) {
      let carry = 1;
      for (let index = block - 1; index >= 0; index--) {
        const sum = input[start + index]! + addend[index]! + carry;
        input[start + index] = sum & 0xff;
        carry = sum >> 8;
      }
    }
  }
  return Buffer.concat(result).subarray(0, length);
}
