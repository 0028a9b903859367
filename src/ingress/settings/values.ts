import { error, type Finding, pointer, warning } from '../../config/problem.ts';
import { didYouMean, quote } from '../../config/text.ts';
import type { Annotation } from '../annotations/annotation.ts';
import type { ConfigMap } from '../object.ts';
import type { Setting } from './setting.ts';

/** What the ConfigMap says, each key read by its declaration. */
export class SettingValues {
  readonly findings: readonly Finding[];
  /** Something that keeps people out cannot be understood, or not be done: nothing is served. Null: all is well. */
  readonly denial: string | null;
  readonly #values: ReadonlyMap<string, unknown>;

  constructor(values: ReadonlyMap<string, unknown>, findings: readonly Finding[], denial: string | null) {
    this.#values = values;
    this.findings = findings;
    this.denial = denial;
  }

  /** Null where it is absent, or not what it should be. */
  get<Value>({ name }: Setting<Value>): Value | null {
    return (this.#values.get(name) as Value | undefined) ?? null;
  }

  /** The key that holds for Ingresses without an annotation, if it has one. */
  forAnnotation<Value>({ global }: Annotation<Value>): Value | null {
    return global === null ? null : ((this.#values.get(global) as Value | undefined) ?? null);
  }
}

/** No ConfigMap at all. */
export const noSettings = new SettingValues(new Map(), [], null);

const known = new WeakMap<ConfigMap, SettingValues>();

/** Reads a ConfigMap by the declarations of its keys, once. */
export function settingsOf(
  configMap: ConfigMap | null,
  declared: ReadonlyMap<string, Setting>,
): SettingValues {
  if (configMap === null) return noSettings;
  let values = known.get(configMap);
  if (values === undefined) known.set(configMap, (values = read(configMap, declared)));
  return values;
}

function read({ data, findings: own }: ConfigMap, declared: ReadonlyMap<string, Setting>): SettingValues {
  const values = new Map<string, unknown>();
  const findings: Finding[] = [];
  // A key whose value is no text may have been a check.
  let denial: string | null = own.some(({ severity }) => severity === 'error')
    ? 'the ConfigMap is invalid'
    : null;
  const nothing = ': nothing is served';
  for (const [key, text] of data) {
    const path = pointer('data', key);
    const setting = declared.get(key);
    if (setting === undefined) {
      const message = `is no key of the ConfigMap${didYouMean(key, declared.keys())}`;
      findings.push({ ...warning(path, message), atKey: true });
      continue;
    }
    // As in ingress-nginx, an empty value is none.
    if (text.trim() === '') continue;
    const parsed = setting.type.parse(text.trim());
    if ('problem' in parsed) {
      const so = setting.restricts
        ? nothing
        : setting.default === null
          ? ': it has no effect'
          : `: ${quote(setting.default)} holds`;
      findings.push(error(path, `${quote(text)} ${parsed.problem}${so}`));
      if (setting.restricts) denial ??= `${quote(key)} ${parsed.problem}`;
      continue;
    }
    values.set(key, parsed.value);
    if (setting.state.is !== 'refused' || text.trim() === setting.default) continue;
    const { why } = setting.state;
    const so = setting.restricts ? nothing : ', and has no effect';
    findings.push({ ...error(path, `is refused${so}: ${why}`), atKey: true });
    if (setting.restricts) denial ??= `${quote(key)} is refused: ${why}`;
  }
  return new SettingValues(values, Object.freeze(findings), denial);
}
