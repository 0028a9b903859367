import type { Material } from '../snapshot/compile.ts';
import type { Secret } from './object.ts';

/** Collects what the native configuration names as files, under the names `secret/namespace/name/key`. */
export class MaterialBuilder {
  readonly #files = new Map<string, string>();

  get material(): Material {
    return this.#files;
  }

  /** Takes over what another one has collected. */
  take({ material }: MaterialBuilder): void {
    for (const [name, contents] of material) this.#files.set(name, contents);
  }

  /** Gives the file's name. */
  add(name: string, contents: string): string {
    this.#files.set(name, contents);
    return name;
  }

  addSecret({ namespace, name }: Secret, key: string, contents: string): string {
    return this.add(`secret/${namespace}/${name}/${key}`, contents);
  }
}
