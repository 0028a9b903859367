import type { Severity } from '../../config/problem.ts';
import { pointer } from '../../config/problem.ts';
import type { Annotation } from '../annotations/annotation.ts';
import { annotationsByKey } from '../annotations/registry.ts';
import { byPrecedence, classAnnotation, isOurs } from '../ingress-class.ts';
import type { Manifests } from '../manifests.ts';
import { type Ingress, keyOf, type KubernetesObject } from '../object.ts';
import { collectObjects } from '../object-set.ts';
import type { TranslateOptions } from '../options.ts';
import { formatFault } from '../parse-manifest.ts';
import type { IngressProblem } from '../problem.ts';
import { settingsByKey } from '../settings/registry.ts';
import { translate, type Translation } from '../translate.ts';
import { dangers, type Notice } from './notices.ts';
import { surprises } from './surprises.ts';

/** How something does here, compared with ingress-nginx; the later, the worse. */
export const outcomes = ['same', 'different', 'refused'] as const;
export type Outcome = (typeof outcomes)[number];

/** A problem as the reader sees it. */
export interface ReportedProblem {
  /** `file:line:column`. */
  readonly place: string;
  /** JSON pointer into the object. */
  readonly path: string;
  readonly severity: Severity;
  readonly message: string;
}

/** An annotation, or a key of the ConfigMap. */
export interface ReportedItem {
  readonly key: string;
  readonly value: string;
  readonly outcome: Outcome;
  /** How it differs, or why it is refused and what to do; null where it does the same. */
  readonly note: string | null;
  readonly problems: readonly ReportedProblem[];
}

export interface ReportedObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly place: string;
  /** The worst of its items and problems. */
  readonly outcome: Outcome;
  readonly note: string | null;
  /** Its annotations; of the ConfigMap, its keys. */
  readonly items: readonly ReportedItem[];
  /** Those of no item. */
  readonly problems: readonly ReportedProblem[];
}

/** What becomes of manifests here. */
export interface MigrationReport {
  readonly objects: readonly ReportedObject[];
  readonly notices: readonly Notice[];
  /** Lines about what is no object. */
  readonly faults: readonly string[];
  readonly passedOver: ReadonlyMap<string, number>;
  readonly translation: Translation;
  /** Something is refused, or has a problem, or is to be decided on. */
  readonly needsAttention: boolean;
}

/** Compares what the manifests did under ingress-nginx with what they do here. Pure. */
export function reportMigration(
  { objects, faults, passedOver }: Pick<Manifests, 'objects' | 'faults' | 'passedOver'>,
  options: TranslateOptions,
): MigrationReport {
  const set = collectObjects(objects);
  const translation = translate(objects, options);
  const ours = new Set<KubernetesObject>(
    set.ingresses.filter((ingress) => isOurs(ingress, set.classes, options)).sort(byPrecedence),
  );
  const problems = new Map<KubernetesObject, IngressProblem[]>();
  for (const problem of [...translation.problems, ...ofOthers(objects)]) {
    const list = problems.get(problem.object);
    if (list === undefined) problems.set(problem.object, [problem]);
    else if (!list.some(({ path, message }) => path === problem.path && message === problem.message)) {
      list.push(problem);
    }
  }
  const reported = objects.map((object) =>
    object.kind === 'Ingress' && !ours.has(object)
      ? ofAnotherClass(object)
      : reportObject(object, problems.get(object) ?? [], options),
  );
  const ingresses = [...ours] as Ingress[];
  const notices = [...dangers(ingresses, set, options), ...surprises(ingresses)];
  return {
    objects: reported,
    notices,
    faults: faults.map(formatFault),
    passedOver,
    translation,
    needsAttention:
      faults.length > 0 ||
      translation.problems.length > 0 ||
      reported.some(({ outcome }) => outcome === 'refused') ||
      notices.some(({ needsAttention }) => needsAttention),
  };
}

/** What is wrong with objects by themselves. Those of Ingresses are told by the translation. */
function ofOthers(objects: readonly KubernetesObject[]): IngressProblem[] {
  return objects.flatMap((object) =>
    object.kind === 'Ingress' ? [] : object.findings.map((finding) => ({ object, ...finding })),
  );
}

function ofAnotherClass(object: Ingress): ReportedObject {
  const note = 'of another class, so not served, as before';
  return { ...head(object), outcome: 'same', note, items: [], problems: [] };
}

function head(object: KubernetesObject): Pick<ReportedObject, 'kind' | 'namespace' | 'name' | 'place'> {
  return { kind: object.kind, namespace: object.namespace, name: object.name, place: object.origin.at('') };
}

/** Something of an object that is declared, or ought to be. */
interface Item {
  readonly key: string;
  readonly value: string;
  readonly path: string;
  readonly declared: Declared | undefined;
}

/** An annotation, or a key of the ConfigMap. */
type Declared = Pick<Annotation, 'state' | 'default' | 'restricts'>;

function itemsOf(object: KubernetesObject, { configMap }: TranslateOptions): Item[] {
  if (object.kind === 'Ingress') {
    return Array.from(object.annotations, ([key, value]) => {
      return {
        key,
        value,
        path: pointer('metadata', 'annotations', key),
        declared: annotationsByKey.get(key),
      };
    });
  }
  if (object.kind !== 'ConfigMap' || keyOf(object) !== configMap) return [];
  return Array.from(object.data, ([key, value]) => {
    return { key, value, path: pointer('data', key), declared: settingsByKey.get(key) };
  });
}

function reportObject(
  object: KubernetesObject,
  problems: readonly IngressProblem[],
  options: TranslateOptions,
): ReportedObject {
  const rest = new Set(problems);
  const items: ReportedItem[] = [];
  for (const { key, value, path, declared } of itemsOf(object, options)) {
    const found = problems.filter((problem) => problem.path === path);
    for (const problem of found) rest.delete(problem);
    if (declared === undefined && found.length === 0 && key !== classAnnotation) continue;
    items.push({ key, value, ...judge(key, declared, value, found), problems: found.map(toldProblem) });
  }
  const left = [...rest];
  const outcome = worst([
    ...items.map((one) => one.outcome),
    ...left.map(({ severity }) => (severity === 'error' ? 'refused' : 'different') as Outcome),
  ]);
  return { ...head(object), outcome, note: null, items, problems: left.map(toldProblem) };
}

function judge(
  key: string,
  annotation: Declared | undefined,
  value: string,
  problems: readonly IngressProblem[],
): Pick<ReportedItem, 'outcome' | 'note'> {
  if (annotation?.state.is === 'refused') {
    if (value.trim() === annotation.default) return { outcome: 'same', note: null };
    // Why, the problem tells.
    return { outcome: 'refused', note: advice(key, annotation) };
  }
  if (problems.some(({ severity }) => severity === 'error')) return { outcome: 'refused', note: null };
  if (annotation?.state.is === 'different') {
    return { outcome: 'different', note: annotation.state.how };
  }
  return { outcome: problems.length > 0 ? 'different' : 'same', note: null };
}

function advice(key: string, { restricts }: Declared): string {
  return restricts
    ? `What to do: put another check in its place, then remove ${key}; until then nothing is served that it holds for.`
    : 'What to do: remove it, if what it did can be done without.';
}

function toldProblem({ object, path, severity, message, atKey }: IngressProblem): ReportedProblem {
  return { place: object.origin.at(path, atKey), path, severity, message };
}

/** The worst; `same` of none. */
function worst(all: readonly Outcome[]): Outcome {
  return outcomes[Math.max(0, ...all.map((outcome) => outcomes.indexOf(outcome)))]!;
}
