import { Readable, Writable } from 'node:stream';
import { runPki } from '../../src/pki/command.ts';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly stdin?: NodeJS.ReadableStream;
}

/** Collects what is written. */
export class Collected extends Writable {
  text = '';

  override _write(chunk: Buffer | string, _encoding: BufferEncoding, done: () => void): void {
    this.text += String(chunk);
    done();
  }
}

/** Runs a `pki …` command line in this process. */
export async function pki(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const stdout = new Collected();
  const stderr = new Collected();
  const { env = {}, stdin = Readable.from([]) } = options;
  const code = await runPki(args, { stdin, stdout, stderr, env });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** A terminal somebody types at: what is typed goes in once the prompt is there. */
export class Terminal extends Readable {
  readonly isTTY = true;
  rawModes: boolean[] = [];
  #answers: string[];

  constructor(answers: readonly string[]) {
    super();
    this.#answers = [...answers];
  }

  setRawMode(on: boolean): this {
    this.rawModes.push(on);
    const answer = on ? this.#answers.shift() : undefined;
    if (answer !== undefined) this.push(answer);
    return this;
  }

  override _read(): void {}
}
