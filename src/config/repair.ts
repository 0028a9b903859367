import { Places } from './places.ts';
import { type Finding, pointer, pointerKeys } from './problem.ts';
import type { Config } from './schema.ts';
import { checkShape, type Mend, type Misfit } from './shape.ts';
import { freeKey, standIn } from './stand-in.ts';

/** Keys put right one within the other bring more to light; a configuration is not nested deeper than this. */
const maxRounds = 12;

/** Stands in for a configuration that does not fit the schema, so that more can be found out about it. */
export interface Repaired {
  /** Fits the schema. It is not what was written, and nothing may be served from it. */
  readonly config: Config;
  /** All that does not fit; more than was known where a key had to be put right before its value could be judged. */
  readonly misfits: readonly Finding[];
  /** Is what stands at this path of `config` what was written? */
  readonly isWritten: (path: string) => boolean;
  /** Those findings about `config` that are true of what was written, with their paths as written there. */
  readonly sure: (findings: readonly Finding[]) => Finding[];
}

/**
 * Makes the data fit: keys take the name that was likely meant, what does not fit gives way to a stand-in of the right
 * shape, what lacks is added, and what nobody asks for is gone. No item of a list moves. What then is found at such a
 * place, or was concluded from one (`dependsOn`), is not told. Null where the data cannot be made to fit.
 */
export function repair(data: unknown, known: readonly Misfit[]): Repaired | null {
  const repairer = new Repairer(known.length === 0 ? data : structuredClone(data));
  const told = new Map<string, Finding>();
  let misfits = known;
  let replaced = false;
  for (let round = 0; misfits.length > 0; round++) {
    if (round === maxRounds) return null;
    // What comes to light after something was replaced is about the stand-in.
    if (!replaced) {
      for (const misfit of misfits) {
        const finding = repairer.asWritten(misfit);
        told.set(`${finding.path} ${finding.message}`, finding);
      }
    }
    // Keys first: what seems to be lacking may be there under another name.
    if (!repairer.rename(misfits)) {
      repairer.replace(misfits);
      replaced = true;
    }
    misfits = checkShape(repairer.data);
  }
  return {
    config: repairer.data as Config,
    misfits: [...told.values()],
    isWritten: (path) => !repairer.unknown.cover(path),
    sure: (findings) => findings.filter((finding) => repairer.isSure(finding)).map(repairer.asWritten),
  };
}

type Container = Record<string, unknown>;

class Repairer {
  data: unknown;
  /** What was written there is not known to be what was meant. */
  readonly unknown = new Places();
  readonly #renamed: { readonly from: string; readonly to: string }[] = [];
  /** Keys that were made up. Their values are as written. */
  readonly #madeUp = new Set<string>();
  #number = 0;

  constructor(data: unknown) {
    this.data = data;
  }

  /** Puts keys right whose right name is free. False where there were none. */
  rename(misfits: readonly Misfit[]): boolean {
    const before = this.#renamed.length;
    for (const { mend } of misfits) {
      if (mend.kind !== 'rename') continue;
      const { parent, path, key } = this.#find(mend.path);
      if (parent === null || !Object.hasOwn(parent, key)) continue;
      const name = mend.meant ?? this.#freeKey(parent);
      if (Object.hasOwn(parent, name)) continue;
      parent[name] = parent[key];
      delete parent[key];
      const to = path + pointer(name);
      this.#renamed.push({ from: mend.path, to });
      if (mend.meant !== null) continue;
      this.#madeUp.add(to);
      this.unknown.add(mend.path);
    }
    return this.#renamed.length > before;
  }

  replace(misfits: readonly Misfit[]): void {
    for (const { mend } of misfits) this.#replace(mend);
  }

  #replace(mend: Mend): void {
    const { parent, key } = this.#find(mend.path);
    this.unknown.add(mend.path);
    if (mend.kind === 'replace') {
      const value = standIn(mend.schema, ++this.#number);
      if (mend.path === '') this.data = value;
      else if (parent !== null) parent[key] = value;
      return;
    }
    if (mend.kind === 'remove' && mend.home !== null) this.unknown.add(mend.home);
    if (parent !== null) delete parent[key];
  }

  isSure({ path, dependsOn = [] }: Finding): boolean {
    return (
      !this.unknown.cover(path) &&
      !this.#madeUp.has(path) &&
      !dependsOn.some((place) => this.unknown.touch(place))
    );
  }

  /** The finding with the keys in its path as they were written. */
  readonly asWritten = ({ path, message, severity, atKey = false, dependsOn }: Finding): Finding => {
    let written = path;
    for (const { from, to } of this.#renamed.toReversed()) {
      if (written === to || written.startsWith(`${to}/`)) written = from + written.slice(to.length);
    }
    const own = { path: written, message, severity, atKey };
    return dependsOn === undefined ? own : { ...own, dependsOn };
  };

  #find(place: string): { parent: Container | null; path: string; key: string } {
    const keys = pointerKeys(place);
    const key = keys.pop() ?? '';
    let parent = this.data;
    for (const step of keys) parent = isContainer(parent) ? parent[step] : null;
    return { parent: isContainer(parent) ? parent : null, path: pointer(...keys), key };
  }

  #freeKey(map: Container): string {
    let name = freeKey(++this.#number);
    while (Object.hasOwn(map, name)) name = freeKey(++this.#number);
    return name;
  }
}

function isContainer(value: unknown): value is Container {
  return typeof value === 'object' && value !== null;
}
