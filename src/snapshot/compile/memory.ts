import type { CompileContext, Material } from './context.ts';

/** A part compiled before, and all that it was made from. */
interface Remembered<Part> {
  readonly config: object;
  /** Files that were read for it. */
  readonly files: ReadonlyMap<string, string>;
  /** Upstreams that were asked for, and whether they were there. */
  readonly asked: ReadonlyMap<string, boolean>;
  readonly part: Part;
  /** Over all of the above. */
  readonly digest: string;
  text: string | null;
}

/** A part of a snapshot, and a digest of what it was made from. */
export interface Compiled<Part> {
  readonly part: Part;
  readonly digest: string;
}

/** How a part is found again, and made where it is not. */
export interface Making<Config extends object, Part> {
  /** What stays the same while the part's contents change: its name. */
  readonly name: string;
  readonly config: Config;
  /** Upstreams that it may lead to: of them a part can depend only on whether they are there. */
  readonly upstreams: ReadonlyMap<string, unknown>;
  readonly digest: (text: string, missing: string, files: ReadonlyMap<string, string>) => string;
  readonly make: () => Part;
}

/**
 * Parts of the last snapshot, so that those whose configuration and files are as they were become the very same
 * objects in the next: whoever keeps something for a host or upstream need only compare identities. A part is known by
 * the identity of its configuration, else by its contents. One with a problem is not remembered. It holds the parts of
 * one compilation, no more: `next` forgets the others.
 */
export class PartMemory<Part> {
  #before: ReadonlyMap<string, Remembered<Part>> = new Map();
  #after = new Map<string, Remembered<Part>>();

  /** Begins a compilation. */
  begin(): void {
    this.#after = new Map();
  }

  /** The compilation went well: its parts take the place of those before. */
  commit(): void {
    this.#before = this.#after;
    this.#after = new Map();
  }

  part<Config extends object>(
    context: CompileContext,
    material: Material,
    making: Making<Config, Part>,
  ): Compiled<Part> {
    const { name, config, upstreams } = making;
    const before = this.#before.get(name);
    if (before !== undefined && isSame(before, config, upstreams, material)) {
      this.#after.set(name, before.config === config ? before : { ...before, config });
      return before;
    }
    const problems = context.problems.length;
    context.beginPart();
    const part = making.make();
    const { files, asked } = context.endPart();
    const text = JSON.stringify(config);
    const missing = [...asked].filter(([, there]) => !there).join(' ');
    const entry = { config, files, asked, part, digest: making.digest(text, missing, files), text };
    if (context.problems.length === problems) this.#after.set(name, entry);
    return entry;
  }
}

function isSame<Part>(
  before: Remembered<Part>,
  config: object,
  upstreams: ReadonlyMap<string, unknown>,
  material: Material,
): boolean {
  for (const [name, there] of before.asked) if (upstreams.has(name) !== there) return false;
  // Equal texts that are one string are compared by their address.
  for (const [file, content] of before.files) if (material.get(file) !== content) return false;
  if (before.config === config) return true;
  before.text ??= JSON.stringify(before.config);
  return before.text === JSON.stringify(config);
}
