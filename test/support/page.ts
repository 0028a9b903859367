import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** The test runner puts its hooks into NODE_OPTIONS at every spawn; the program runs without them. */
export const clean = ['-u', 'NODE_OPTIONS'];

/** A block of commands, and what it prints. */
export interface Step {
  readonly commands: string;
  /** Lines that what is printed must hold, `…` for anything. */
  readonly prints: readonly string[];
}

/** The shell blocks of the page, each with the text block behind it. */
export function stepsOf(page: string): Step[] {
  const blocks = [...page.matchAll(/^```(sh|text)\n(.*?)^```$/gms)].map(([, kind, body]) => ({
    kind,
    body: body!,
  }));
  return blocks.flatMap(({ kind, body }, index) => {
    const next = blocks[index + 1];
    const prints = next?.kind === 'text' ? next.body.split('\n').filter((line) => line !== '') : [];
    return kind === 'sh' ? [{ commands: body, prints }] : [];
  });
}

/** A line as a page has it, as a regular expression. */
export const pattern = (line: string): RegExp =>
  new RegExp(
    line
      .trim()
      .split('…')
      .map((part) =>
        part
          .trim()
          .replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
          .replaceAll(/ +/g, ' +'),
      )
      .join('.*'),
  );

/** One shell for all blocks, as somebody pasting them has one. */
export class Shell {
  readonly #child;
  #output = '';
  #changed: () => void = () => {};

  constructor(cwd: string, env: NodeJS.ProcessEnv) {
    this.#child = spawn('env', [...clean, 'bash', '--norc', '--noprofile'], {
      cwd,
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#output += String(chunk);
        this.#changed();
      });
    }
  }

  /** Runs a block; gives what it printed and the exit code of its last command. */
  async run(commands: string): Promise<{ printed: string; code: number }> {
    this.#output = '';
    this.#child.stdin.write(`${commands}\nprintf '\\n@@done %s@@\\n' $?\n`);
    for (;;) {
      const done = /\n@@done (\d+)@@\n/.exec(this.#output);
      if (done !== null) return { printed: this.#output.slice(0, done.index), code: Number(done[1]) };
      await new Promise<void>((resolve) => (this.#changed = resolve));
    }
  }

  async end(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.stdin.end();
    await ended;
  }
}
