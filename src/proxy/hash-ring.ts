import { createHash } from 'node:crypto';

/** Points of each member on the ring: ketama's number, so that shares differ by a few per cent. */
const pointsEach = 160;

/**
 * A consistent hash of keys to members, as ketama and nginx's `hash … consistent` are: when a member comes or goes,
 * only the keys that are or were its own move. Where a member stands depends on its name alone, so every process and
 * every proxy with the same members agrees. Pure.
 */
export class HashRing {
  readonly #members: number;
  readonly #points: Uint32Array;
  /** Whose each point is. */
  readonly #owners: Uint32Array;

  /** @param names of the members, each once */
  constructor(names: readonly string[]) {
    const placed: { point: number; owner: number }[] = [];
    for (const [owner, name] of names.entries()) {
      for (let block = 0; block < pointsEach / 8; block++) {
        const hash = createHash('sha256').update(`${name}\0${block}`).digest();
        for (let at = 0; at < 32; at += 4) placed.push({ point: hash.readUInt32BE(at), owner });
      }
    }
    // Two members on one point: the name decides, and not the order in which they are listed.
    placed.sort((a, b) => a.point - b.point || (names[a.owner]! < names[b.owner]! ? -1 : 1));
    this.#members = names.length;
    this.#points = Uint32Array.from(placed, ({ point }) => point);
    this.#owners = Uint32Array.from(placed, ({ owner }) => owner);
  }

  /** The members by index, nearest to the key first; each once. The first is the key's own, the next stands in for it. */
  *from(key: string): Generator<number, void, undefined> {
    const seen = new Set<number>();
    const start = this.#after(createHash('sha256').update(key).digest().readUInt32BE(0));
    for (let step = 0; step < this.#owners.length && seen.size < this.#members; step++) {
      const owner = this.#owners[(start + step) % this.#owners.length]!;
      if (seen.has(owner)) continue;
      seen.add(owner);
      yield owner;
    }
  }

  /** The key's own member; -1 where there are none. */
  first(key: string): number {
    const { value } = this.from(key).next();
    return value ?? -1;
  }

  /** Index of the first point at or behind a hash, round the ring. */
  #after(hash: number): number {
    let [low, high] = [0, this.#points.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#points[middle]! < hash) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
