import type { HostConfig, UpstreamConfig } from '../config/schema.ts';
import type { KeptPairs } from './host-certificate.ts';
import { MaterialBuilder } from './material-builder.ts';
import type { Ingress } from './object.ts';
import type { Lookup, ObjectSet } from './object-set.ts';
import type { TranslateOptions } from './options.ts';
import type { IngressProblem } from './problem.ts';
import type { SettingValues } from './settings/values.ts';
import type { PairMaterial } from './secret-material.ts';
import { UpstreamBuilder } from './upstream-builder.ts';

/** Where a host's names are claimed: those of all hosts, and those that were granted beside them. */
export interface Names {
  has(name: string): boolean;
  add(name: string): unknown;
}

/** All that a host's translation depends on, but for what it asks for. */
export interface HostKey {
  readonly name: string;
  /** Of the host, and its canaries, in their order. */
  readonly ingresses: readonly Ingress[];
  readonly canaries: readonly Ingress[];
}

/** What became of a host, and every question that was asked on the way. */
export interface TranslatedHost {
  readonly key: HostKey;
  readonly hosts: readonly HostConfig[];
  readonly material: MaterialBuilder;
  readonly upstreams: ReadonlyMap<string, UpstreamConfig>;
  readonly problems: readonly IngressProblem[];
  readonly isStill: (set: ObjectSet, taken: Names) => boolean;
  readonly granted: readonly string[];
  /** What was asked for by name, `namespace/name`, whether it was there or not. */
  readonly references: References;
  /** The certificates it is served with, by their Secret. */
  readonly pairs: ReadonlyMap<string, PairMaterial>;
}

/** Secrets and ConfigMaps that somebody names. */
export interface References {
  readonly secrets: Iterable<string>;
  readonly configMaps: Iterable<string>;
}

/** Where a host is put together. */
export interface Workplace {
  readonly set: ObjectSet;
  readonly material: MaterialBuilder;
  readonly upstreams: UpstreamBuilder;
  readonly problems: IngressProblem[];
  readonly taken: Names;
  readonly kept: KeptPairs;
}

/**
 * The hosts of the last translation with everything that they were made from. One whose Ingresses are the same objects, and
 * whose every look-up would be answered by the same objects again, is handed out as it is: the very same configuration. So
 * one changed object costs its own hosts. Holds the hosts of one translation, no more.
 */
export class TranslationMemory {
  readonly #defaultPair = new Map<string, PairMaterial>();
  #before = new Map<string, TranslatedHost>();
  #after = new Map<string, TranslatedHost>();
  /** Hosts of the last translation may be handed out again. */
  #holds = false;
  #options: TranslateOptions | null = null;
  #settings: SettingValues | null = null;

  /** One that knows as much: what is translated by it leaves this one as it is. */
  fork(): TranslationMemory {
    const other = new TranslationMemory();
    for (const [key, pair] of this.#defaultPair) other.#defaultPair.set(key, pair);
    other.#after = this.#after;
    other.#options = this.#options;
    other.#settings = this.#settings;
    return other;
  }

  /** The default certificate, of the Secret that the options name. */
  get defaultPair(): KeptPairs {
    return { before: this.#defaultPair, now: this.#defaultPair };
  }

  /** Begins a translation: with other options or settings nothing holds. */
  begin(options: TranslateOptions, settings: SettingValues): void {
    this.#holds = this.#options === options && this.#settings === settings;
    this.#before = this.#after;
    this.#after = new Map();
    this.#options = options;
    this.#settings = settings;
  }

  /** The host as it was, or made anew. */
  host(
    key: HostKey,
    set: ObjectSet,
    taken: Names,
    make: (place: Workplace) => readonly HostConfig[],
  ): TranslatedHost {
    const before = this.#before.get(key.name);
    const known =
      this.#holds && before !== undefined && isSameKey(before.key, key) && before.isStill(set, taken);
    const host = known ? before : this.#make(key, set, taken, before?.pairs ?? new Map(), make);
    if (known) for (const name of host.granted) taken.add(name);
    this.#after.set(key.name, host);
    return host;
  }

  #make(
    key: HostKey,
    set: ObjectSet,
    taken: Names,
    pairsBefore: ReadonlyMap<string, PairMaterial>,
    make: (place: Workplace) => readonly HostConfig[],
  ): TranslatedHost {
    const questions = {
      services: new Recorded(set.services),
      endpoints: new Recorded(set.endpoints),
      secrets: new Recorded(set.secrets),
      configMaps: new Recorded(set.configMaps),
    };
    const everyone = [...key.ingresses, ...key.canaries];
    const disputed = new Set(everyone.filter((one) => set.disputed.has(one)));
    const asked = new Map<string, boolean>();
    const granted: string[] = [];
    const names: Names = {
      has(name) {
        const answer = taken.has(name);
        if (!granted.includes(name)) asked.set(name, answer);
        return answer;
      },
      add(name) {
        granted.push(name);
        return taken.add(name);
      },
    };
    const recorded: ObjectSet = { ...set, ...questions };
    const material = new MaterialBuilder();
    const upstreams = new UpstreamBuilder(recorded, this.#options!);
    const problems: IngressProblem[] = [];
    const kept: KeptPairs = { before: pairsBefore, now: new Map() };
    const hosts = make({ set: recorded, material, upstreams, problems, taken: names, kept });
    for (const recording of Object.values(questions)) recording.end();
    return {
      key,
      hosts,
      material,
      upstreams: upstreams.collected,
      problems,
      granted,
      pairs: kept.now,
      references: { secrets: questions.secrets.keys, configMaps: questions.configMaps.keys },
      isStill: (now, nowTaken) =>
        questions.services.isStill(now.services) &&
        questions.endpoints.isStill(now.endpoints) &&
        questions.secrets.isStill(now.secrets) &&
        questions.configMaps.isStill(now.configMaps) &&
        everyone.every((one) => now.disputed.has(one) === disputed.has(one)) &&
        wouldAnswer(nowTaken, asked),
    };
  }
}

/** Remembers what was asked for, and the answers. */
class Recorded<Value extends object> implements Lookup<Value> {
  #values: Lookup<Value> | null;
  readonly #asked = new Map<string, Value | undefined>();

  constructor(values: Lookup<Value>) {
    this.#values = values;
  }

  get(key: string): Value | undefined {
    const value = this.#values?.get(key);
    this.#asked.set(key, value);
    return value;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  get keys(): readonly string[] {
    return [...this.#asked.keys()];
  }

  /** Nobody asks any more. Else each host would keep alive all objects of its day. */
  end(): void {
    this.#values = null;
  }

  isStill(now: Lookup<Value>): boolean {
    for (const [key, value] of this.#asked) if (!isSame(now.get(key), value)) return false;
    return true;
  }
}

function wouldAnswer(names: Names, asked: ReadonlyMap<string, boolean>): boolean {
  for (const [name, answer] of asked) if (names.has(name) !== answer) return false;
  return true;
}

/** The same object, or a list of the same objects. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  return (
    Array.isArray(a) &&
    Array.isArray(b) &&
    a.length === b.length &&
    a.every((one, index) => one === (b as readonly unknown[])[index])
  );
}

function isSameKey(a: HostKey, b: HostKey): boolean {
  return isSame(a.ingresses, b.ingresses) && isSame(a.canaries, b.canaries);
}
