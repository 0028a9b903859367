import { normaliseConfigName } from '../config/rules/names.ts';
import type { HostConfig, RouteConfig } from '../config/schema.ts';
import { pointer } from '../config/problem.ts';
import { quote } from '../config/text.ts';
import { type Annotation } from './annotations/annotation.ts';
import type { Context, HostDraft, RouteDraft } from './annotations/family.ts';
import { canaryRule } from './annotations/canary.ts';
import { hstsOf } from './annotations/headers.ts';
import { redirectToHttps } from './annotations/redirect-to-https.ts';
import { annotationsOf, families } from './annotations/registry.ts';
import { catchAll, lastResort } from './catch-all.ts';
import { hostCertificate, type KeptPairs } from './host-certificate.ts';
import type { MaterialBuilder } from './material-builder.ts';
import { type Backend, type Ingress, type IngressPath, type IngressRule, keyOf } from './object.ts';
import type { ObjectSet } from './object-set.ts';
import type { TranslateOptions } from './options.ts';
import { byLocationOrder, matchKey, nativeMatch, type NativeMatch, withoutItsSlash } from './path.ts';
import type { IngressProblem } from './problem.ts';
import { httpRedirectCode } from './settings/answers.ts';
import type { SettingValues } from './settings/values.ts';
import type { Names } from './translation-memory.ts';
import type { UpstreamBuilder } from './upstream-builder.ts';

/** One Ingress's part in a host. */
export interface Claim {
  readonly ingress: Ingress;
  readonly rules: readonly IngressRule[];
}

/** What the hosts of one translation share. */
export interface Workshop {
  readonly set: ObjectSet;
  readonly options: TranslateOptions;
  readonly settings: SettingValues;
  readonly material: MaterialBuilder;
  readonly upstreams: UpstreamBuilder;
  readonly problems: IngressProblem[];
  readonly fallback: HostConfig['certificate'];
  readonly kept: KeptPairs;
}

/** Puts one host together out of the Ingresses that claim it, the one with the highest precedence first. */
export class HostTranslation {
  readonly #name: string;
  readonly #claims: readonly Claim[];
  readonly #canaries: readonly Claim[];
  readonly #shop: Workshop;
  readonly #host: HostDraft;
  #refusal: string | null = null;
  readonly #contexts = new Map<Ingress, Context>();
  readonly #canaryPaths = new Map<Claim, ReadonlyMap<string, IngressPath>>();

  /** @param canaries Ingresses that are alternatives for paths of the host. */
  constructor(name: string, claims: readonly Claim[], canaries: readonly Claim[], shop: Workshop) {
    this.#name = name;
    this.#claims = claims;
    this.#canaries = canaries;
    this.#shop = shop;
    this.#host = {
      name: name === catchAll ? null : name,
      config: {},
      hasTls: name === catchAll || claims.some(({ ingress }) => ingress.tls.length > 0),
      hasCertificate: false,
      aliases: [],
      usesRegex: false,
      root: null,
      hasTwin: false,
      refuse: (reason) => {
        this.#refusal ??= reason;
      },
    };
  }

  /**
   * The host, and the one that redirects to it, if there is one.
   *
   * @param taken Names of all hosts; those that are granted are added.
   */
  translate(taken: Names): HostConfig[] {
    for (const { ingress } of this.#claims) {
      // Of an invalid Ingress too: what it asks of clients holds for the whole host, and can be read.
      for (const family of families)
        family.applyHost?.(annotationsOf(ingress), this.#host, this.#context(ingress));
    }
    const certificate =
      this.#name === catchAll
        ? null
        : this.#certificate(this.#name, (ingress, path, message) =>
            this.#reportElsewhere(ingress, path, message),
          );
    this.#host.hasCertificate = certificate !== null;
    const base = {
      names: [this.#name, ...this.#aliases(taken)],
      certificate: certificate ?? this.#shop.fallback,
    };
    const twin = this.#twin(taken);
    // No client certificate is asked for either: there is nothing to verify it against.
    if (this.#refusal !== null)
      return [{ ...base, routes: [{ path: '/', respond: { status: 403 } }] }, ...twin];
    return [{ ...base, ...this.#host.config, routes: this.#routes() }, ...twin];
  }

  #certificate(
    name: string,
    report: (ingress: Ingress, path: string, message: string) => void,
  ): HostConfig['certificate'] | null {
    const { set, material, options, kept } = this.#shop;
    return hostCertificate(
      name,
      this.#claims.map(({ ingress }) => ingress),
      set,
      material,
      options.keepsCertificates ? kept : null,
      report,
    );
  }

  /** from-to-www-redirect: a host that sends everyone here. */
  #twin(taken: Names): HostConfig[] {
    if (!this.#host.hasTwin || this.#name.startsWith(catchAll)) return [];
    const name = this.#name.startsWith('www.') ? this.#name.slice(4) : `www.${this.#name}`;
    if (normaliseConfigName(name) === null || taken.has(name)) return [];
    taken.add(name);
    const status = this.#shop.settings.get(httpRedirectCode) ?? 308;
    const redirect = { to: `{scheme}://${this.#name}{uri}`, status, stripTrailingSlash: true };
    return [
      {
        names: [name],
        // Without one of its own, the default certificate: nobody is told, who did not ask for one.
        certificate: this.#certificate(name, () => {}) ?? this.#shop.fallback,
        routes: [{ path: '/', redirect, plainHttp: 'serve' }],
      },
    ];
  }

  #routes(): RouteConfig[] {
    const { usesRegex, root } = this.#host;
    const paths = this.#claims.flatMap(({ ingress, rules }) =>
      rules.flatMap((rule) => rule.paths.map((path) => ({ ingress, path }))),
    );
    if (usesRegex) paths.sort((a, b) => byLocationOrder(a.path, b.path));
    const exact = new Set(paths.flatMap(({ path }) => (path.pathType === 'Exact' ? [path.path] : [])));
    const routes: RouteConfig[] = [];
    const taken = new Map<string, Ingress>();
    if (root !== null) routes.push(this.#root(root.ingress, root.to));
    for (const { ingress, path } of paths) {
      this.#addPath(ingress, path, exact.has(path.path), taken, routes);
    }
    for (const route of routes.slice()) {
      const redirect = this.#slashRedirect(route, taken);
      if (redirect !== null) routes.push(redirect);
    }
    if (!taken.has('Prefix /')) routes.push(this.#rest());
    return routes;
  }

  #addPath(
    ingress: Ingress,
    path: IngressPath,
    isExactToo: boolean,
    taken: Map<string, Ingress>,
    routes: RouteConfig[],
  ): void {
    const match = nativeMatch(path, this.#host.usesRegex, isExactToo);
    if ('problem' in match) {
      this.#report(ingress, 'error', `${path.place}/path`, `${quote(path.path)} ${match.problem}`);
      if (match.refuse === null || taken.has(matchKey(match.refuse))) return;
      taken.set(matchKey(match.refuse), ingress);
      routes.push({ ...match.refuse, respond: { status: 503 } });
      return;
    }
    const key = matchKey(match);
    const owner = taken.get(key);
    if (owner !== undefined) {
      const who = owner === ingress ? 'this Ingress' : `${keyOf(owner)}, which comes first`;
      this.#report(
        ingress,
        'error',
        path.place,
        `${quote(path.path)} of ${quote(this.#name)} belongs to ${who}: this one is not served`,
      );
      return;
    }
    taken.set(key, ingress);
    // `/` is redirected already, whatever is said here.
    if (key === 'Exact /' && this.#host.root !== null) return;
    // A path without a Service is left to the default backend, as in ingress-nginx.
    const backend = path.backend ?? ingress.defaultBackend;
    const action = this.#action(ingress, path, backend);
    const canary = action.upstream === undefined ? null : this.#canary(path);
    routes.push({
      ...match,
      ...action,
      ...(canary === null ? {} : { canary: [canary] }),
      ...this.#origin(ingress, backend),
    });
  }

  /** What metrics under ingress-nginx's names call a route; nothing where nobody wants them. */
  #origin({ namespace, name }: Ingress, backend: Backend | null): Pick<RouteConfig, 'ingress'> {
    if (this.#shop.options.base.metrics?.ingressNginxNames !== true) return {};
    return { ingress: { namespace, name, service: backend?.service ?? '' } };
  }

  /** The first canary of a path. One whose Ingress is refused gets no requests: all go to the main one. */
  #canary(path: IngressPath): NonNullable<RouteConfig['canary']>[number] | null {
    for (const claim of this.#canaries) {
      const { ingress } = claim;
      const found = this.#pathsOf(claim).get(`${path.pathType} ${path.path}`);
      if (found === undefined || found.backend === null || this.#denial(ingress) !== null) continue;
      const rule = canaryRule(annotationsOf(ingress));
      if (rule === null) continue;
      const { upstreams } = this.#shop;
      const { name, fault } = upstreams.add(ingress.namespace, found.backend, {}, false);
      if (fault === null) return { upstream: name, ...rule };
      // ingress-nginx sends nobody to a canary without endpoints.
      this.#report(ingress, 'warning', found.place, fault);
    }
    return null;
  }

  /** The paths of a canary, the first of those that are alike. */
  #pathsOf(claim: Claim): ReadonlyMap<string, IngressPath> {
    let found = this.#canaryPaths.get(claim);
    if (found === undefined) {
      const paths = claim.rules.flatMap(({ paths }) => paths).reverse();
      found = new Map(paths.map((one) => [`${one.pathType} ${one.path}`, one]));
      this.#canaryPaths.set(claim, found);
    }
    return found;
  }

  /** app-root. Over plain HTTP too, as in nginx, but for hosts that ask for client certificates. */
  #root(ingress: Ingress, to: string): RouteConfig {
    const isOpen = !this.#asksForCertificates;
    const answer = this.#denial(ingress) === null ? { redirect: { to } } : { respond: { status: 503 } };
    return { path: '/', pathType: 'Exact', ...answer, ...(isOpen ? { plainHttp: 'serve' as const } : {}) };
  }

  #slashRedirect(
    { path, pathType = 'Prefix', upstream, plainHttp, httpsRedirect }: RouteConfig,
    taken: Map<string, Ingress>,
  ): RouteConfig | null {
    const bare = upstream === undefined ? null : withoutItsSlash({ path, pathType });
    if (bare === null) return null;
    const match: NativeMatch = { path: bare, pathType: 'Exact' };
    const others = (['Exact', 'RawPrefix', 'Prefix'] as const).map((type) => `${type} ${bare}`);
    if (others.some((key) => taken.has(key) && key !== matchKey({ path, pathType }))) return null;
    taken.set(matchKey(match), this.#claims[0]!.ingress);
    return {
      ...match,
      redirect: { to: '{scheme}://{host}{path}/{query}', status: 301 },
      ...(plainHttp === undefined ? {} : { plainHttp }),
      ...(httpsRedirect === undefined ? {} : { httpsRedirect }),
    };
  }

  /** What answers the paths that no rule names: the first Ingress's default backend, or the one of all. */
  #rest(): RouteConfig {
    const { options, set, upstreams } = this.#shop;
    const claim =
      this.#name === catchAll
        ? this.#claims.find(({ ingress, rules }) => ingress.defaultBackend !== null && rules.length === 0)
        : this.#claims[0];
    const backend = claim?.ingress.defaultBackend ?? null;
    if (claim !== undefined && backend !== null) {
      const path: IngressPath = { path: '/', pathType: 'Prefix', backend, place: '/spec/defaultBackend' };
      return {
        path: '/',
        pathType: 'Prefix',
        ...this.#action(claim.ingress, path, backend),
        ...this.#origin(claim.ingress, backend),
      };
    }
    const last = lastResort(options, set, upstreams);
    // ingress-nginx puts the first Ingress's annotations there too. On `_` it redirects nobody whose name has no certificate.
    const first = this.#name === catchAll ? null : (this.#claims[0]?.ingress ?? null);
    if (first === null) return this.#asksForCertificates ? last : { ...last, plainHttp: 'serve' };
    if (this.#denial(first) !== null) return last;
    const draft = this.#draft(first, { path: '/', pathType: 'Prefix', backend: null, place: '/spec' }, null);
    const context = this.#context(first);
    redirectToHttps.applyRoute?.(annotationsOf(first), draft, context);
    const hsts = hstsOf(this.#host, context);
    return { ...last, ...draft.config, ...(hsts === null ? {} : { response: { hsts } }) };
  }

  get #asksForCertificates(): boolean {
    return (this.#host.config.clientAuth?.mode ?? 'off') !== 'off';
  }

  #draft(
    ingress: Ingress,
    match: IngressPath,
    backend: Backend | null,
    deny: RouteDraft['deny'] = () => {},
  ): RouteDraft {
    return {
      match,
      backend,
      ingress,
      host: this.#host,
      config: {},
      upstream: {},
      usesClusterIp: false,
      standIn: null,
      deny,
    };
  }

  #action(
    ingress: Ingress,
    match: IngressPath,
    backend: Backend | null,
  ): Omit<RouteConfig, 'path' | 'pathType'> {
    let denial = this.#denial(ingress);
    const draft = this.#draft(ingress, match, backend, (reason) => {
      denial ??= reason;
    });
    if (denial === null) {
      for (const family of families)
        family.applyRoute?.(annotationsOf(ingress), draft, this.#context(ingress));
    }
    const { clientAuth, policy } = this.#host.config;
    const mode = draft.config.clientAuth?.mode ?? clientAuth?.mode ?? 'off';
    if ((draft.config.policy ?? policy) !== undefined && mode === 'off') {
      const message = 'has a policy, but no client certificate is asked for: its paths answer 503';
      this.#report(ingress, 'error', '/metadata/annotations', message);
      draft.deny('a policy without client certificates');
    }
    if (denial !== null) return { respond: { status: 503 } };
    const { affinity: _affinity, retry: _retry, errorPages: _pages, mirror: _mirror, ...here } = draft.config;
    if (here.redirect !== undefined) return here;
    if (backend === null) return { ...here, respond: { status: 404 } };
    const { upstreams } = this.#shop;
    let { name, fault } = upstreams.add(ingress.namespace, backend, draft.upstream, draft.usesClusterIp);
    if (draft.standIn !== null && upstreams.isEmpty(name)) {
      ({ name, fault } = upstreams.add(ingress.namespace, draft.standIn, draft.upstream, false));
    }
    if (fault !== null) this.#report(ingress, 'warning', match.place, fault);
    return { ...draft.config, upstream: name };
  }

  #aliases(taken: Names): string[] {
    return this.#host.aliases.flatMap((alias) => {
      const name = normaliseConfigName(alias);
      if (name === null || taken.has(name)) return [];
      taken.add(name);
      return [name];
    });
  }

  /** Why nothing of an Ingress is served; null: it is. */
  #denial(ingress: Ingress): string | null {
    if (ingress.isInvalid || this.#shop.set.disputed.has(ingress)) return 'the Ingress is invalid';
    return this.#shop.settings.denial ?? annotationsOf(ingress).denial;
  }

  #report(ingress: Ingress, severity: IngressProblem['severity'], path: string, message: string): void {
    this.#shop.problems.push({ object: ingress, path, message, severity });
  }

  #reportElsewhere(ingress: Ingress, path: string, message: string): void {
    this.#shop.problems.push({ object: ingress, path, message, severity: 'error', elsewhere: true });
  }

  #context(ingress: Ingress): Context {
    const known = this.#contexts.get(ingress);
    if (known !== undefined) return known;
    const { set, options, material, settings, upstreams } = this.#shop;
    const values = annotationsOf(ingress);
    const context: Context = {
      ingress,
      values,
      paths: this.#claims.flatMap((claim) =>
        claim.ingress === ingress ? claim.rules.flatMap(({ paths }) => paths) : [],
      ),
      listeners: options.base.listeners,
      value: (annotation) => values.get(annotation) ?? settings.forAnnotation(annotation),
      global: (annotation) => settings.forAnnotation(annotation),
      setting: (setting) => settings.get(setting),
      error: (annotation, message) => this.#report(ingress, 'error', values.place(annotation), message),
      errorElsewhere: (annotation, message) =>
        this.#reportElsewhere(ingress, values.place(annotation), message),
      warn: (annotation, message) => this.#report(ingress, 'warning', values.place(annotation), message),
      secret: (annotation: Annotation, { namespace, name }) => {
        const home = namespace ?? ingress.namespace;
        const key = `${home}/${name}`;
        if (home !== ingress.namespace && !options.allowCrossNamespaceSecrets) {
          context.error(
            annotation,
            `the Secret ${key} is of another namespace than the Ingress (${ingress.namespace}), which is refused: move it, or allow that with --allow-cross-namespace-secrets`,
          );
          return null;
        }
        const secret = set.secrets.get(key);
        if (secret === undefined) context.errorElsewhere(annotation, `there is no Secret ${key}`);
        return secret ?? null;
      },
      globalMap: (setting) => {
        const name = settings.get(setting);
        if (name === null) return null;
        const key = `${name.namespace}/${name.name}`;
        const found = set.configMaps.get(key);
        if (found === undefined) context.settingError(setting, `there is no ConfigMap ${key}`);
        return found?.data ?? null;
      },
      settingError: (setting, message) => {
        const object = set.configMaps.get(options.configMap ?? '');
        if (object === undefined) return;
        this.#shop.problems.push({ object, path: pointer('data', setting.name), message, severity: 'error' });
      },
      upstream: (backend) => upstreams.add(ingress.namespace, backend, {}, false).name,
      externalUpstream: (scheme, host, port) => upstreams.addUrl(scheme, host, port),
      globalBackend: () => lastResort(options, set, upstreams).upstream ?? null,
      service: (name) => set.services.get(`${ingress.namespace}/${name}`) ?? null,
      configMap: (annotation, { namespace, name }) => {
        const home = namespace ?? ingress.namespace;
        const key = `${home}/${name}`;
        if (home !== ingress.namespace && !options.allowCrossNamespaceSecrets) {
          context.error(annotation, `the ConfigMap ${key} is of another namespace, which is refused`);
          return null;
        }
        const found = set.configMaps.get(key);
        if (found === undefined) context.errorElsewhere(annotation, `there is no ConfigMap ${key}`);
        return found?.data ?? null;
      },
      file: (secret, key, contents) => material.addSecret(secret, key, contents),
    };
    this.#contexts.set(ingress, context);
    return context;
  }
}
