import { normaliseConfigName } from '../config/rules/names.ts';
import type { HostConfig, RouteConfig } from '../config/schema.ts';
import { quote } from '../config/text.ts';
import { type Annotation } from './annotations/annotation.ts';
import type { Context, HostDraft, RouteDraft } from './annotations/family.ts';
import { annotationsOf, families } from './annotations/registry.ts';
import { catchAll, lastResort } from './catch-all.ts';
import { hostCertificate } from './host-certificate.ts';
import type { MaterialBuilder } from './material-builder.ts';
import { type Backend, type Ingress, type IngressPath, type IngressRule, keyOf } from './object.ts';
import type { ObjectSet } from './object-set.ts';
import type { TranslateOptions } from './options.ts';
import { nativeMatch } from './path.ts';
import type { IngressProblem } from './problem.ts';
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
  readonly material: MaterialBuilder;
  readonly upstreams: UpstreamBuilder;
  readonly problems: IngressProblem[];
  readonly fallback: HostConfig['certificate'];
}

/** Puts one host together out of the Ingresses that claim it, the one with the highest precedence first. */
export class HostTranslation {
  readonly #name: string;
  readonly #claims: readonly Claim[];
  readonly #shop: Workshop;
  readonly #host: HostDraft;
  #refusal: string | null = null;
  readonly #contexts = new Map<Ingress, Context>();

  constructor(name: string, claims: readonly Claim[], shop: Workshop) {
    this.#name = name;
    this.#claims = claims;
    this.#shop = shop;
    this.#host = {
      name: name === catchAll ? null : name,
      config: {},
      hasTls: name === catchAll || claims.some(({ ingress }) => ingress.tls.length > 0),
      aliases: [],
      usesRegex: false,
      refuse: (reason) => {
        this.#refusal ??= reason;
      },
    };
  }

  /** @param taken Names of all hosts; aliases that are granted are added. */
  translate(taken: Set<string>): HostConfig {
    const { set, material, fallback } = this.#shop;
    for (const { ingress } of this.#claims) {
      // Of an invalid Ingress too: what it asks of clients holds for the whole host, and can be read.
      for (const family of families)
        family.applyHost?.(annotationsOf(ingress), this.#host, this.#context(ingress));
    }
    const certificate =
      this.#name === catchAll
        ? null
        : hostCertificate(
            this.#name,
            this.#claims.map(({ ingress }) => ingress),
            set,
            material,
            (ingress, path, message) => this.#report(ingress, 'error', path, message),
          );
    const base = { names: [this.#name, ...this.#aliases(taken)], certificate: certificate ?? fallback };
    // No client certificate is asked for either: there is nothing to verify it against.
    if (this.#refusal !== null) return { ...base, routes: [{ path: '/', respond: { status: 403 } }] };
    return { ...base, ...this.#host.config, routes: this.#routes() };
  }

  #routes(): RouteConfig[] {
    const routes: RouteConfig[] = [];
    const taken = new Map<string, Ingress>();
    for (const { ingress, rules } of this.#claims) {
      for (const rule of rules) {
        for (const path of rule.paths) this.#addPath(ingress, path, taken, routes);
      }
    }
    if (!taken.has('Prefix /')) routes.push(this.#rest());
    return routes;
  }

  #addPath(ingress: Ingress, path: IngressPath, taken: Map<string, Ingress>, routes: RouteConfig[]): void {
    const match = nativeMatch(path, this.#host.usesRegex);
    if ('problem' in match) {
      this.#report(ingress, 'error', `${path.place}/path`, `${quote(path.path)} ${match.problem}`);
      return;
    }
    const key = `${match.pathType} ${match.path}`;
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
    // A path without a Service is left to the default backend, as in ingress-nginx.
    const backend = path.backend ?? ingress.defaultBackend;
    routes.push({ ...match, ...this.#action(ingress, path, backend) });
  }

  /** What answers the paths that no rule names: the first Ingress's default backend, or the one of all. */
  #rest(): RouteConfig {
    const { options, set, upstreams } = this.#shop;
    const claim =
      this.#name === catchAll
        ? this.#claims.find(({ ingress, rules }) => ingress.defaultBackend !== null && rules.length === 0)
        : this.#claims[0];
    const backend = claim?.ingress.defaultBackend ?? null;
    if (claim === undefined || backend === null) return lastResort(options, set, upstreams);
    const path: IngressPath = { path: '/', pathType: 'Prefix', backend, place: '/spec/defaultBackend' };
    return { path: '/', pathType: 'Prefix', ...this.#action(claim.ingress, path, backend) };
  }

  #action(
    ingress: Ingress,
    match: IngressPath,
    backend: Backend | null,
  ): Omit<RouteConfig, 'path' | 'pathType'> {
    let denial = this.#isUnusable(ingress) ? 'the Ingress is invalid' : annotationsOf(ingress).denial;
    const draft: RouteDraft = {
      match,
      ingress,
      host: this.#host,
      config: {},
      upstream: {},
      usesClusterIp: false,
      deny: (reason) => {
        denial ??= reason;
      },
    };
    if (denial === null) {
      for (const family of families)
        family.applyRoute?.(annotationsOf(ingress), draft, this.#context(ingress));
    }
    const asksForIdentity = (this.#host.config.clientAuth?.mode ?? 'off') !== 'off';
    if (draft.config.policy !== undefined && !asksForIdentity) {
      const message = 'has a policy, but no client certificate is asked for: its paths answer 503';
      this.#report(ingress, 'error', '/metadata/annotations', message);
      draft.deny('a policy without client certificates');
    }
    if (denial !== null) return { respond: { status: 503 } };
    if (draft.config.respond !== undefined || draft.config.redirect !== undefined) return draft.config;
    if (backend === null) return { ...draft.config, respond: { status: 404 } };
    const { name, fault } = this.#shop.upstreams.add(
      ingress.namespace,
      backend,
      draft.upstream,
      draft.usesClusterIp,
    );
    if (fault !== null) this.#report(ingress, 'warning', match.place, fault);
    return { ...draft.config, upstream: name };
  }

  #aliases(taken: Set<string>): string[] {
    return this.#host.aliases.flatMap((alias) => {
      const name = normaliseConfigName(alias);
      if (name === null || taken.has(name)) return [];
      taken.add(name);
      return [name];
    });
  }

  #isUnusable(ingress: Ingress): boolean {
    return ingress.isInvalid || this.#shop.set.disputed.has(ingress);
  }

  #report(ingress: Ingress, severity: IngressProblem['severity'], path: string, message: string): void {
    this.#shop.problems.push({ object: ingress, path, message, severity });
  }

  #context(ingress: Ingress): Context {
    const known = this.#contexts.get(ingress);
    if (known !== undefined) return known;
    const { set, options, material } = this.#shop;
    const values = annotationsOf(ingress);
    const context: Context = {
      ingress,
      objects: set,
      allowCrossNamespaceSecrets: options.allowCrossNamespaceSecrets,
      listeners: options.base.listeners,
      error: (annotation, message) => this.#report(ingress, 'error', values.place(annotation), message),
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
        if (secret === undefined) context.error(annotation, `there is no Secret ${key}`);
        return secret ?? null;
      },
      file: (secret, key, contents) => material.addSecret(secret, key, contents),
    };
    this.#contexts.set(ingress, context);
    return context;
  }
}
