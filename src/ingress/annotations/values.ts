import { didYouMean, nearest, quote } from '../../config/text.ts';
import { error, type Finding, pointer, warning } from '../../config/problem.ts';
import type { Ingress } from '../object.ts';
import { type Annotation, annotationKey, nginxPrefix, ownPrefix } from './annotation.ts';

/** What an Ingress's annotations say, each read by its declaration. */
export class AnnotationValues {
  readonly findings: readonly Finding[];
  /** Something that keeps people out cannot be understood, or not be done: the paths answer 503. Null: all is well. */
  readonly denial: string | null;
  readonly #values: ReadonlyMap<Annotation, unknown>;
  readonly #keys: ReadonlyMap<Annotation, string>;

  constructor(
    values: ReadonlyMap<Annotation, unknown>,
    keys: ReadonlyMap<Annotation, string>,
    findings: readonly Finding[],
    denial: string | null,
  ) {
    this.#values = values;
    this.#keys = keys;
    this.findings = findings;
    this.denial = denial;
  }

  /** Null where it is absent, or not what it should be. */
  get<Value>(annotation: Annotation<Value>): Value | null {
    return (this.#values.get(annotation) as Value | undefined) ?? null;
  }

  /** It stands there, whatever it says. */
  has(annotation: Annotation): boolean {
    return this.#keys.has(annotation);
  }

  /** JSON pointer of the annotation as the Ingress has it. */
  place(annotation: Annotation): string {
    return pointer('metadata', 'annotations', this.#keys.get(annotation) ?? annotationKey(annotation));
  }
}

/** Prefixes of other controllers and of typing errors: what stands under them does nothing here. */
const foreignPrefixes = [
  'ingress.kubernetes.io/',
  'ingress.nginx.kubernetes.io/',
  'nginx.ingress.kubernetes.io./',
  'nginx.kubernetes.io/',
  'nginx.ingress.k8s.io/',
  'nginx.org/',
  'nginx.com/',
];

/** What becomes of an Ingress that has it with a value that is none. */
function insteadOf({ name, restricts, default: usual, global }: Annotation): string {
  if (restricts) return 'the paths of this Ingress answer 503';
  // A key of another name is for Ingresses without the whole family.
  if (global === name) {
    const otherwise = usual === null ? 'nothing' : quote(usual);
    return `the ConfigMap's ${quote(global)} holds, or without it ${otherwise}`;
  }
  return usual === null ? 'it has no effect' : `${quote(usual)} holds`;
}

/** Reads annotations by their declarations. `declared`: by key, aliases included. */
export function readAnnotationValues(
  ingress: Ingress,
  declared: ReadonlyMap<string, Annotation>,
): AnnotationValues {
  const values = new Map<Annotation, unknown>();
  const keys = new Map<Annotation, string>();
  const findings: Finding[] = [];
  let denial: string | null = null;
  const deny = (reason: string): void => {
    denial ??= reason;
  };
  for (const [key, text] of ingress.annotations) {
    const path = pointer('metadata', 'annotations', key);
    const annotation = declared.get(key);
    if (annotation === undefined) {
      const unknown = unknownAnnotation(ingress, key, declared);
      if (unknown === null) continue;
      findings.push({ ...(unknown.denies ? error : warning)(path, unknown.message), atKey: true });
      if (unknown.denies) deny(`${quote(key)} ${unknown.message}`);
      continue;
    }
    if (keys.has(annotation)) {
      const [one, other] = [keys.get(annotation)!, key];
      if (ingress.annotations.get(one) === text) continue;
      findings.push(error(path, `contradicts ${quote(one)}: they are two names of one setting`));
      if (annotation.restricts) deny(`${quote(one)} and ${quote(other)} contradict each other`);
      continue;
    }
    keys.set(annotation, key);
    const parsed = annotation.type.parse(text.trim());
    if ('problem' in parsed) {
      findings.push(error(path, `${quote(text)} ${parsed.problem}: ${insteadOf(annotation)}`));
      if (annotation.restricts) deny(`${quote(key)} ${parsed.problem}`);
      continue;
    }
    values.set(annotation, parsed.value);
    if (annotation.state.is !== 'refused' || text.trim() === annotation.default) continue;
    const { why } = annotation.state;
    const so = annotation.restricts ? ': the paths of this Ingress answer 503' : ', and has no effect';
    findings.push({ ...error(path, `is refused${so}: ${why}`), atKey: true });
    if (annotation.restricts) deny(`${quote(key)} is refused: ${why}`);
  }
  return new AnnotationValues(values, keys, findings, denial);
}

interface Unknown {
  readonly message: string;
  readonly denies: boolean;
}

/** Null for annotations that have nothing to do with us. */
function unknownAnnotation(
  ingress: Ingress,
  key: string,
  declared: ReadonlyMap<string, Annotation>,
): Unknown | null {
  for (const prefix of [nginxPrefix, ownPrefix]) {
    if (!key.startsWith(prefix)) continue;
    const meant = nearest(key, declared.keys());
    // Whoever misspelt a check believes that it is made. All of our own annotations are about identities.
    const denies = prefix === ownPrefix || (meant !== null && declared.get(meant)!.restricts);
    const so = denies ? '; the paths of this Ingress answer 503' : '';
    return { message: `is no annotation${didYouMean(key, declared.keys())}${so}`, denies };
  }
  const foreign = foreignPrefixes.find((prefix) => key.toLowerCase().startsWith(prefix));
  if (foreign === undefined) return null;
  const right = nginxPrefix + key.slice(foreign.length);
  const annotation = declared.get(right);
  if (annotation === undefined)
    return { message: 'is of another controller, and has no effect', denies: false };
  if (ingress.annotations.has(right)) {
    return { message: `is of another controller: ${quote(right)} is what counts`, denies: false };
  }
  // CVE-like in effect (ingress-nginx#9303): a whole site open to everyone for a wrong prefix.
  const denies = annotation.restricts;
  const so = denies ? 'the paths of this Ingress answer 503' : 'it has no effect';
  return { message: `is of another controller, ${so}: write ${quote(right)}`, denies };
}
