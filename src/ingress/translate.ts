import { normaliseConfigName } from '../config/rules/names.ts';
import type { Config, HostConfig, RouteConfig } from '../config/schema.ts';
import { quote } from '../config/text.ts';
import type { Material } from '../snapshot/compile.ts';
import { catchAll, lastResort } from './catch-all.ts';
import { defaultCertificate } from './host-certificate.ts';
import { type Claim, HostTranslation } from './host-translation.ts';
import { byPrecedence, isOurs } from './ingress-class.ts';
import { MaterialBuilder } from './material-builder.ts';
import { canary } from './annotations/canary.ts';
import { applySettings } from './settings/effects.ts';
import { settingsByKey } from './settings/registry.ts';
import { SettingValues, settingsOf } from './settings/values.ts';
import { annotationsOf } from './annotations/registry.ts';
import { type Backend, type Ingress, type IngressRule, keyOf, type KubernetesObject } from './object.ts';
import { collectObjects, type ObjectSet } from './object-set.ts';
import { pointer } from '../config/problem.ts';
import type { TranslateOptions } from './options.ts';
import type { IngressProblem } from './problem.ts';
import { TranslationMemory } from './translation-memory.ts';
import { UpstreamBuilder } from './upstream-builder.ts';

export { TranslationMemory } from './translation-memory.ts';

/** Native configuration that does what the objects say. */
export interface Translation {
  readonly config: Config;
  readonly material: Material;
  readonly problems: readonly IngressProblem[];
  /** Why the Secret of `--default-ssl-certificate` cannot be used; null: it can, or none is named. */
  readonly defaultFault: string | null;
  /** The Ingresses that are ours, the one with the highest precedence first. */
  readonly ingresses: readonly Ingress[];
  /** The Secrets and ConfigMaps that were asked for, whether they were there or not: `namespace/name`. */
  readonly references: { readonly secrets: ReadonlySet<string>; readonly configMaps: ReadonlySet<string> };
}

/**
 * Turns objects into our own configuration. Pure, and never throws: whatever is wrong is a problem, and costs no more than
 * what it is in. An Ingress that cannot be read whole is not served in part: its paths answer 503, and a host of which it
 * cannot be said who may come in answers 403.
 *
 * @param memory Of the last translation: hosts of which nothing has changed are the very same objects. The result is the same
 * without it. It holds for one options object.
 */
export function translate(
  objects: Iterable<KubernetesObject>,
  options: TranslateOptions,
  memory: TranslationMemory = new TranslationMemory(),
): Translation {
  const set = collectObjects(objects);
  const problems: IngressProblem[] = [...set.problems];
  const report = (
    object: KubernetesObject,
    severity: IngressProblem['severity'],
    path: string,
    message: string,
  ): void => void problems.push({ object, path, message, severity });
  const material = new MaterialBuilder();
  const upstreams = new UpstreamBuilder(set, options);
  const settings = readSettings(set, options, problems);
  memory.begin(options, settings);
  const ours = set.ingresses.filter((ingress) => isOurs(ingress, set.classes, options)).sort(byPrecedence);

  const claims = new Map<string, Claim[]>();
  const canaries = new Map<string, Claim[]>();
  let catchAllBackend: { readonly ingress: Ingress; readonly backend: Backend } | null = null;
  for (const ingress of ours) {
    for (const finding of [...ingress.findings, ...annotationsOf(ingress).findings]) {
      problems.push({ object: ingress, ...finding });
    }
    const isCanary = annotationsOf(ingress).get(canary) === true;
    const byHost = rulesByHost(ingress);
    problems.push(...byHost.problems);
    for (const [host, rules] of byHost.hosts) {
      const claim = { ingress, rules };
      const kind = isCanary ? canaries : claims;
      const list = kind.get(host);
      if (list === undefined) kind.set(host, [claim]);
      else list.push(claim);
    }
    if (!isCanary && ingress.rules.length === 0) {
      if (ingress.defaultBackend === null) {
        if (!ingress.isInvalid)
          report(ingress, 'warning', '/spec', 'has no rules and no default backend: it does nothing');
      } else if (catchAllBackend === null) {
        catchAllBackend = { ingress, backend: ingress.defaultBackend };
      } else {
        const { namespace, name } = catchAllBackend.ingress;
        report(ingress, 'error', '/spec', `the catch-all belongs to ${namespace}/${name}, which comes first`);
      }
    }
  }
  if (catchAllBackend !== null) {
    const list = claims.get(catchAll) ?? [];
    if (!list.some(({ ingress }) => ingress === catchAllBackend.ingress)) {
      list.push({ ingress: catchAllBackend.ingress, rules: [] });
    }
    claims.set(catchAll, list);
  }

  const base = applySettings(options.base, settings, (setting, message) => {
    const object = set.configMaps.get(options.configMap ?? '');
    if (object !== undefined) report(object, 'warning', pointer('data', setting.name), message);
  });
  const { certificate: fallback, fault: defaultFault } = defaultCertificate(
    material,
    set,
    options,
    options.keepsCertificates ? memory.defaultPair : null,
  );
  const names = new Set(claims.keys());
  const hosts: HostConfig[] = [];
  const references = {
    secrets: new Set(options.defaultCertificateSecret === null ? [] : [options.defaultCertificateSecret]),
    configMaps: new Set(options.configMap === null ? [] : [options.configMap]),
  };
  for (const name of [...claims.keys()].sort()) {
    const hostClaims = claims.get(name)!;
    const hostCanaries = canaries.get(name) ?? [];
    const key = {
      name,
      ingresses: hostClaims.map(({ ingress }) => ingress),
      canaries: hostCanaries.map(({ ingress }) => ingress),
    };
    const host = memory.host(key, set, names, ({ taken, ...place }) =>
      new HostTranslation(name, hostClaims, hostCanaries, {
        ...place,
        options,
        settings,
        fallback,
      }).translate(taken),
    );
    hosts.push(...host.hosts);
    problems.push(...host.problems);
    material.take(host.material);
    upstreams.take(host.upstreams);
    for (const key of host.references.secrets) references.secrets.add(key);
    for (const key of host.references.configMaps) references.configMaps.add(key);
  }
  if (!names.has(catchAll)) {
    const route: RouteConfig = { ...lastResort(options, set, upstreams), plainHttp: 'serve' };
    hosts.push({ names: [catchAll], certificate: fallback, routes: [route] });
  }
  return Object.freeze({
    config: {
      ...base,
      hosts,
      upstreams: upstreams.upstreams,
    },
    material: material.material,
    problems: Object.freeze(unique(problems)),
    defaultFault,
    ingresses: Object.freeze(ours),
    references: Object.freeze(references),
  });
}

/** What the ConfigMap says. Where it stands twice, with other contents, nobody knows who is to be kept out. */
function readSettings(
  set: ObjectSet,
  { configMap: name, requiresConfigMap }: TranslateOptions,
  problems: IngressProblem[],
): SettingValues {
  const isDisputed = [...set.disputed].some(
    (object) => object.kind === 'ConfigMap' && keyOf(object) === name,
  );
  if (isDisputed) return new SettingValues(new Map(), [], 'the ConfigMap stands twice');
  const configMap = set.configMaps.get(name ?? '') ?? null;
  if (configMap === null && requiresConfigMap) {
    return new SettingValues(new Map(), [], `there is no ConfigMap ${name}`);
  }
  const settings = settingsOf(configMap, settingsByKey);
  if (configMap === null) return settings;
  for (const finding of [...configMap.findings, ...settings.findings]) {
    problems.push({ object: configMap, ...finding });
  }
  return settings;
}

/** The rules of an Ingress, by the host they are for in its one spelling. */
interface HostRules {
  readonly hosts: ReadonlyMap<string, readonly IngressRule[]>;
  readonly problems: readonly IngressProblem[];
}

const knownRules = new WeakMap<Ingress, HostRules>();

function rulesByHost(ingress: Ingress): HostRules {
  const known = knownRules.get(ingress);
  if (known !== undefined) return known;
  const hosts = new Map<string, IngressRule[]>();
  const problems: IngressProblem[] = [];
  for (const rule of ingress.rules) {
    const name = rule.host === null ? catchAll : normaliseConfigName(rule.host);
    // `*` and nginx's `_` would be the catch-all by another name.
    if (name === null || rule.host === '_' || (rule.host !== null && name === catchAll)) {
      problems.push({
        object: ingress,
        severity: 'error',
        path: `${rule.place}/host`,
        message: `${quote(rule.host)} is no host name, or *.example.com for one label: its paths are not served`,
      });
      continue;
    }
    const list = hosts.get(name);
    if (list === undefined) hosts.set(name, [rule]);
    else list.push(rule);
  }
  const read = { hosts, problems };
  knownRules.set(ingress, read);
  return read;
}

/** What is wrong with an Ingress of many hosts is wrong once. */
function unique(problems: readonly IngressProblem[]): IngressProblem[] {
  const seen = new Map<KubernetesObject, Set<string>>();
  return problems.filter(({ object, path, message }) => {
    let told = seen.get(object);
    if (told === undefined) seen.set(object, (told = new Set()));
    const key = `${path} ${message}`;
    if (told.has(key)) return false;
    told.add(key);
    return true;
  });
}
