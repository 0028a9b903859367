import { resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import { readBounded } from '../../../config/read-file.ts';
import { watchFiles } from '../../../config/watch.ts';
import { messageOf } from '../../../pki/error.ts';
import type { Log } from '../health.ts';

/** Bytes of a file. */
const maxBytes = 1024 ** 2;

export interface FileCertificateOptions {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
  readonly log: Log;
  /** It could be read; or not. */
  readonly onKept?: (isKept: boolean) => void;
  readonly onCertificate: (certificate: { readonly cert: string; readonly key: string }) => void;
}

/** A certificate in two files that somebody else renews. What cannot be used leaves the one that was good. */
export class FileCertificate {
  readonly #options: FileCertificateOptions;
  readonly #files: readonly [string, string];
  readonly #watch: { close(): void };
  #reading: Promise<void> = Promise.resolve();
  #readAt = Date.now();

  constructor(options: FileCertificateOptions) {
    this.#options = options;
    this.#files = [resolve(options.certificate), resolve(options.key)];
    this.#watch = watchFiles(
      () => this.#files,
      () => this.#again(),
      { readAt: () => this.#readAt },
    );
    this.#again();
  }

  async close(): Promise<void> {
    this.#watch.close();
    await this.#reading;
  }

  #again(): void {
    this.#reading = this.#reading.then(() => this.#read());
  }

  async #read(): Promise<void> {
    this.#readAt = Date.now();
    const texts: string[] = [];
    for (const path of this.#files) {
      const read = await readBounded(path, maxBytes);
      if ('fault' in read) {
        this.#fail(`${path} ${read.fault}`);
        return;
      }
      texts.push(read.bytes.toString('latin1'));
    }
    const [cert = '', key = ''] = texts;
    try {
      createSecureContext({ cert, key });
    } catch (error) {
      this.#fail(`${this.#files.join(', ')}: ${messageOf(error)}`);
      return;
    }
    this.#options.onKept?.(true);
    this.#options.onCertificate({ cert, key });
  }

  #fail(fault: string): void {
    this.#options.onKept?.(false);
    this.#options.log('error', 'the certificate of the webhook cannot be used', { fault });
  }
}
