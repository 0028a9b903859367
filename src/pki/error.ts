/**
 * A fault that the person at the keyboard can put right: a broken file, a key that does not fit, an expired
 * issuer. The command prints `message` alone and exits 1. Messages never contain key material or passphrases.
 */
export class PkiError extends Error {
  override readonly name: string = 'PkiError';
}

/** The message of anything thrown, for wrapping it in a PkiError. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
