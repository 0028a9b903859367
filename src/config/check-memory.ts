/**
 * What was found out about texts, by their contents, for as long as each load asks for it again. The texts of unchanged
 * files are the same strings, so to find them again costs one look into a map. Hosts in which the
 * rules found nothing are known by the identity of their configuration.
 */
export class CheckMemory {
  #fine = new WeakSet<object>();
  #upstreams: ReadonlySet<string> = new Set();
  #rest = '';
  #ids = new Generations<number>();
  #facts = new Generations<unknown>();
  #lastId = 0;

  /** Begins a load. */
  begin(): void {
    this.#ids.begin();
    this.#facts.begin();
  }

  /** The load is over: what it did not ask for is forgotten. */
  end(): void {
    this.#ids.end();
    this.#facts.end();
  }

  /**
   * Hosts that were fine, and are with these upstreams: where one is gone, a host may lead there. Add to it.
   * @param rest All of the configuration but hosts and upstreams.
   */
  fineHosts(upstreams: readonly string[], rest: string): WeakSet<object> {
    if (rest !== this.#rest) this.#fine = new WeakSet();
    this.#rest = rest;
    const now = new Set(upstreams);
    for (const name of this.#upstreams) {
      if (now.has(name)) continue;
      this.#fine = new WeakSet();
      break;
    }
    this.#upstreams = now;
    return this.#fine;
  }

  /** What `make` gave for these texts; it may depend on nothing but them and `kind`. */
  about<Fact>(kind: string, texts: readonly string[], make: () => Fact): Fact {
    let key = kind;
    for (const text of texts) key += ` ${this.#ids.get(text, () => ++this.#lastId)}`;
    return this.#facts.get(key, make) as Fact;
  }
}

/** A map that forgets what was not asked for between two ends. */
class Generations<Value> {
  #before = new Map<string, Value>();
  #after = new Map<string, Value>();

  begin(): void {
    this.#after = new Map();
  }

  end(): void {
    this.#before = this.#after;
  }

  get(key: string, make: () => Value): Value {
    let value = this.#after.get(key);
    if (value !== undefined) return value;
    value = this.#before.get(key) ?? make();
    this.#after.set(key, value);
    return value;
  }
}
