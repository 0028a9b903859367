import type { X509Certificate } from 'node:crypto';
import type { Finding } from './problem.ts';

/** What there is to tell of a host at a place, how long, in milliseconds since 1970, and of what files that holds. */
export interface Told {
  readonly findings: readonly Finding[];
  /** Where the host stands in the configuration, which its findings name. */
  readonly path: string;
  readonly since: number;
  readonly until: number;
  readonly files: ReadonlyMap<string, string | undefined>;
}

/**
 * What was found out about texts, by their contents, for as long as each load asks for it again. The texts of unchanged
 * files are the same strings, so to find them again costs one look into a map. Hosts are known by the
 * identity of their configuration.
 */
export class CheckMemory {
  readonly #told = new WeakMap<object, Told>();
  #leaf: { readonly pem: string; readonly leaf: X509Certificate | null } | null = null;
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
    this.#leaf = null;
    this.#ids.end();
    this.#facts.end();
  }

  /** This is to tell of this host. */
  tell(host: object, told: Told): void {
    this.#told.set(host, told);
  }

  /** What is to tell of this host there and now; null where nobody knows. */
  told(
    host: object,
    path: string,
    material: ReadonlyMap<string, string>,
    now: number,
  ): readonly Finding[] | null {
    const told = this.#told.get(host);
    if (told === undefined || now < told.since || now >= told.until) return null;
    if (told.findings.length > 0 && told.path !== path) return null;
    for (const [file, contents] of told.files) if (material.get(file) !== contents) return null;
    return told.findings;
  }

  /**
   * The first certificate of a file. Only the last is kept, for certificates take much room, and thousands of hosts may
   * share one.
   */
  leaf(pem: string, read: () => X509Certificate | null): X509Certificate | null {
    if (this.#leaf?.pem !== pem) this.#leaf = { pem, leaf: read() };
    return this.#leaf.leaf;
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
