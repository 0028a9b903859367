import { isOurs } from '../../ingress-class.ts';
import { type Ingress, type IngressClass, keyOf, type KubernetesObject } from '../../object.ts';
import type { TranslateOptions } from '../../options.ts';
import { formatIngressProblem, type IngressProblem } from '../../problem.ts';
import { readObject } from '../../read-object.ts';
import { translate, type Translation, type TranslationMemory } from '../../translate.ts';
import { ClusterOrigin, type ReferenceKind } from '../cluster.ts';
import { allowed, type Review, type Verdict } from './review.ts';

/** A cluster as it is known at this moment, for who would know what a change makes of it. */
export interface Known {
  readonly options: TranslateOptions;
  readonly objects: readonly KubernetesObject[];
  /** What the translation in force remembers. */
  readonly memory: TranslationMemory;
  /** Objects of the namespace are looked at. */
  looksAt(namespace: string): boolean;
  /** The Secret or ConfigMap, `namespace/name`, was asked for: if it is there, it is among the objects. */
  hasAsked(kind: ReferenceKind, key: string): boolean;
}

/** Reads a Secret or ConfigMap, `namespace/name`, that nobody has named before; null: it is not there. */
export type ReadReference = (kind: ReferenceKind, key: string) => Promise<KubernetesObject | null>;

/** What is named may name others in turn. */
const maxRounds = 3;

/** More names than that are not looked up for one review: they count as not there. */
const maxNames = 64;

/**
 * Judges an Ingress by the translation of everything that is there with it: what that would not serve is refused, in the words in
 * which it would be told of afterwards. What is wrong about other objects that the Ingress names (a Secret that is not there yet, as
 * with cert-manager) is a warning, for they may come after it. Ingresses that are not ours are allowed unseen.
 *
 * @param now Milliseconds since 1970: when an Ingress was made that does not say.
 * @throws what `read` rejects with.
 */
export async function judge(
  review: Review,
  known: Known,
  read: ReadReference,
  now: number,
): Promise<Verdict> {
  const { operation, object } = review;
  if (object === null || (operation !== 'CREATE' && operation !== 'UPDATE')) return allowed;
  const there = ingressOf(review, object, now);
  if (typeof there === 'string') return refused([there]);
  const { objects, options } = known;
  // One that is going has its finalizers taken off by an update.
  if (isGoing(object) || !known.looksAt(there.namespace)) return allowed;
  if (!isOurs(there, classesAmong(objects), options)) return allowed;
  const others = objects.filter((one) => one.kind !== 'Ingress' || keyOf(one) !== keyOf(there));
  const after = await translated([...others, there], known, read);
  const own = after.problems.filter((problem) => problem.object === there);
  const news = newsAbout(after, there, known);
  const errors = [...own.filter(isOwnError), ...news];
  const lines = errors.map(formatIngressProblem);
  const warnings = own.filter((problem) => !isOwnError(problem)).map(formatIngressProblem);
  // Labels of what was taken before may change, whatever has become of the rest.
  if (lines.length > 0 && !isSame(review)) return { ...refused(lines), warnings };
  return { allowed: true, warnings: [...lines, ...warnings] };
}

function refused(reasons: readonly string[]): Verdict & { readonly allowed: false } {
  return { allowed: false, reasons, warnings: [], code: 400 };
}

/** The Ingress, or what is wrong with it if it is none. */
function ingressOf(
  { name, namespace }: Review,
  object: Readonly<Record<string, unknown>>,
  now: number,
): Ingress | string {
  const metadata = (object['metadata'] ?? {}) as Readonly<Record<string, unknown>>;
  const { apiVersion } = object;
  const origin = new ClusterOrigin(typeof apiVersion === 'string' ? apiVersion : '', '', '');
  // What no time is known of would come before everything else.
  const { creationTimestamp: made } = metadata;
  const creationTimestamp = typeof made === 'string' ? made : new Date(now).toISOString();
  const whole = { namespace, ...metadata, creationTimestamp };
  const result = readObject({ ...object, metadata: whole }, origin);
  if ('object' in result && result.object.kind === 'Ingress') return result.object;
  if ('fault' in result) {
    const { path, message } = result.fault;
    return `kubernetes Ingress ${namespace}/${name} ${path === '' ? '/' : path} ${message}`;
  }
  return `kubernetes ${namespace}/${name} / is no Ingress, and nothing else is judged here`;
}

function isGoing({ metadata }: Readonly<Record<string, unknown>>): boolean {
  const { deletionTimestamp } = (metadata ?? {}) as Readonly<Record<string, unknown>>;
  return typeof deletionTimestamp === 'string';
}

/** Nothing changes that is translated. */
function isSame({ object, oldObject }: Review): boolean {
  if (object === null || oldObject === null) return false;
  const read = ({ apiVersion, spec, metadata }: Readonly<Record<string, unknown>>): string =>
    JSON.stringify([
      apiVersion,
      spec,
      (metadata as Readonly<Record<string, unknown>> | null)?.['annotations'],
    ]);
  return read(object) === read(oldObject);
}

function classesAmong(objects: readonly KubernetesObject[]): ReadonlyMap<string, IngressClass> {
  return new Map(
    objects.flatMap((object) => (object.kind === 'IngressClass' ? [[object.name, object]] : [])),
  );
}

function isOwnError({ severity, elsewhere }: IngressProblem): boolean {
  return severity === 'error' && elsewhere !== true;
}

/** What other Ingresses would lose by this one. */
function newsAbout(
  after: Translation,
  there: Ingress,
  { objects, options, memory }: Known,
): IngressProblem[] {
  const candidates = after.problems.filter(
    (problem) => problem.object !== there && problem.object.kind === 'Ingress' && isOwnError(problem),
  );
  if (candidates.length === 0) return [];
  const before = new Set(translate(objects, options, memory.fork()).problems.map(formatIngressProblem));
  return candidates.filter((problem) => !before.has(formatIngressProblem(problem)));
}

/** Translates with what is named for the first time, which is not watched yet. */
async function translated(
  objects: KubernetesObject[],
  known: Known,
  read: ReadReference,
): Promise<Translation> {
  const asked = new Set<string>();
  for (let round = 1; ; round++) {
    const translation = translate(objects, known.options, known.memory.fork());
    const { secrets, configMaps } = translation.references;
    const names = [
      ...[...secrets].map((key) => ['Secret', key] as const),
      ...[...configMaps].map((key) => ['ConfigMap', key] as const),
    ].filter(([kind, key]) => !asked.has(`${kind} ${key}`) && !known.hasAsked(kind, key));
    const left = names.slice(0, maxNames - asked.size);
    if (left.length === 0 || round > maxRounds) return translation;
    for (const [kind, key] of left) asked.add(`${kind} ${key}`);
    const found = await Promise.all(left.map(([kind, key]) => read(kind, key)));
    objects.push(...found.filter((one) => one !== null));
  }
}
