import { StringDecoder } from 'node:string_decoder';
import type { ReadStream, WriteStream } from 'node:tty';
import { PkiError } from './error.ts';
import { readBytes } from './files.ts';

/** The streams a prompt needs. */
export interface PromptIo {
  readonly stdin: NodeJS.ReadableStream;
  readonly stderr: NodeJS.WritableStream;
  readonly env: NodeJS.ProcessEnv;
}

/** Where a passphrase comes from. Never from an argument: those show in `ps` and stay in the shell's history. */
export interface PassphraseSource {
  /** Its first line counts, without the line end. */
  readonly file?: string;
  /** The name of an environment variable. */
  readonly env?: string;
}

/** Longer ones are refused: 1024 characters. */
const maxLength = 1024;

function check(passphrase: string, where: string): string {
  if (passphrase.length > maxLength) throw new PkiError(`${where}: longer than ${maxLength} characters`);
  // PKCS#12 ends its strings with a NUL, terminals and files end theirs with a line.
  if (/[\0\r\n]/.test(passphrase)) throw new PkiError(`${where}: a passphrase is one line`);
  return passphrase;
}

/** True where somebody can be asked. */
function isTerminal(stdin: NodeJS.ReadableStream): stdin is ReadStream {
  return (stdin as Partial<ReadStream>).isTTY === true;
}

/** The passphrase from a file or the environment; null when neither is named. Throws PkiError. */
export async function readPassphrase(source: PassphraseSource, io: PromptIo): Promise<string | null> {
  if (source.file !== undefined) {
    const text = (await readBytes(source.file)).toString('utf8');
    return check(text.split(/\r?\n/, 1)[0]!, source.file);
  }
  if (source.env === undefined) return null;
  const value = io.env[source.env];
  if (value === undefined) throw new PkiError(`the environment variable ${source.env} is not set`);
  return check(value, source.env);
}

/** Asks on the terminal, without echo. Throws PkiError when there is no terminal, or at Ctrl-C and Ctrl-D. */
export async function askPassphrase(question: string, io: PromptIo): Promise<string> {
  const { stdin, stderr } = io;
  if (!isTerminal(stdin)) {
    throw new PkiError(
      'a passphrase is needed and there is no terminal to ask on: name a file or an environment variable',
    );
  }
  // Echo goes off first: whoever answers as soon as the question stands there would be shown.
  stdin.setRawMode(true);
  stderr.write(question);
  try {
    return check(await readSecretLine(stdin), 'the passphrase');
  } finally {
    stdin.setRawMode(false);
    (stderr as WriteStream).write('\n');
  }
}

async function readSecretLine(stdin: ReadStream): Promise<string> {
  const decoder = new StringDecoder('utf8');
  const typed: string[] = [];
  return await new Promise<string>((resolve, reject) => {
    const finish = (settle: () => void, rest = ''): void => {
      // Paused first: a stream that flows with nobody listening drops what comes.
      stdin.pause();
      stdin.off('data', onData);
      stdin.off('end', onEnd);
      // What was typed ahead belongs to the next question.
      if (rest !== '') stdin.unshift(Buffer.from(rest));
      settle();
    };
    const onEnd = (): void => finish(() => reject(new PkiError('no passphrase was given')));
    const onData = (chunk: Buffer): void => {
      const characters = Array.from(decoder.write(chunk));
      for (const [index, character] of characters.entries()) {
        const rest = characters.slice(index + 1).join('');
        if (character === '\r' || character === '\n') {
          return finish(() => resolve(typed.join('')), rest);
        }
        if (character === '\u0003' || character === '\u0004') return onEnd();
        if (character === '\u007f' || character === '\b') typed.pop();
        else if (character === '\u0015') typed.length = 0;
        else if (typed.length <= maxLength) typed.push(character);
      }
    };
    stdin.on('data', onData);
    stdin.on('end', onEnd);
    stdin.resume();
  });
}
