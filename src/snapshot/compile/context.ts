import { createHash } from 'node:crypto';

/** Contents (PEM) of the files that a configuration names, by the path as written there. */
export type Material = ReadonlyMap<string, string>;

/** What keeps a configuration from becoming a snapshot, and where: a JSON pointer into the configuration. */
export interface CompileProblem {
  readonly path: string;
  readonly message: string;
}

/** What every part of the compiler reads files from and tells its problems to. */
export class CompileContext {
  readonly problems: CompileProblem[] = [];
  readonly #material: Material;
  #read = new Map<string, string>();
  #asked = new Map<string, boolean>();

  constructor(material: Material) {
    this.#material = material;
  }

  /** Contents of a file; a missing or empty one is a problem, and stands for nothing. */
  file(name: string, path: string): string {
    const content = this.#material.get(name);
    if (content === undefined || content.trim() === '') {
      this.problem(path, `${name} is ${content === undefined ? 'not there' : 'empty'}`);
      return '';
    }
    this.#read.set(name, content);
    return content;
  }

  /** From now on the files that are read, and the upstreams that are asked for, belong to one part. */
  beginPart(): void {
    this.#read = new Map();
    this.#asked = new Map();
  }

  /** What was read since `beginPart`, and for each upstream asked for whether it is there. */
  endPart(): { readonly files: ReadonlyMap<string, string>; readonly asked: ReadonlyMap<string, boolean> } {
    return { files: this.#read, asked: this.#asked };
  }

  /** Is there such an upstream? */
  hasUpstream(upstreams: ReadonlyMap<string, unknown>, name: string): boolean {
    const there = upstreams.has(name);
    this.#asked.set(name, there);
    return there;
  }

  problem(path: string, message: string): void {
    this.problems.push(Object.freeze({ path, message }));
  }
}

/** SHA-256 over the parts, each with its length, so that no two lists of parts run together. */
export function digest(...parts: readonly string[]): string {
  // In one piece: a call for each of 4,000 parts takes ten times as long as the digest itself.
  return createHash('sha256')
    .update(parts.map((part) => `${Buffer.byteLength(part)}:${part}`).join(''))
    .digest('hex');
}
