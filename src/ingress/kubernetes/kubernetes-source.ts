import { setTimeout as wait } from 'node:timers/promises';
import { Burst } from '../../burst.ts';
import { CheckMemory } from '../../config/check-memory.ts';
import { hostwiseSteps } from '../../config/check.ts';
import type { Loaded, Source, SourceProblem, Unloadable } from '../../config/source.ts';
import { inSlices } from '../../slices.ts';
import { makeDefaultCertificate } from '../default-certificate.ts';
import { keyOf, type KubernetesObject } from '../object.ts';
import type { TranslateOptions } from '../options.ts';
import { formatIngressProblem } from '../problem.ts';
import { translate, type Translation, TranslationMemory } from '../translate.ts';
import type { Address } from './address.ts';
import type { ApiClient } from './api-client.ts';
import { Cluster, type ClusterScope } from './cluster.ts';
import type { Times } from './collection.ts';
import { Health, type HealthReport, type HealthStatus, type Log } from './health.ts';
import type { Speaker } from './speaker.ts';
import type { Known } from './webhook/judge.ts';

export interface KubernetesOptions extends ClusterScope {
  readonly client: ApiClient;
  readonly log: Log;
  readonly report?: HealthReport;
  readonly translate: Omit<TranslateOptions, 'defaultCertificate' | 'requiresClass'>;
  readonly times?: Partial<Times>;
  /** Milliseconds that the first load waits for the cluster; without: as long as it takes. */
  readonly firstWithinMs?: number;
  /** Says to the cluster what is to be said; without: nothing is. Closed with the source. */
  readonly speaker?: Speaker;
  /** Begins to judge what others want to write, by what is known. Closed with the source. */
  readonly webhook?: (known: () => Known | null) => { close(): Promise<void> };
}

/** A change waits so long for others, in milliseconds, and so long at most while they keep coming. */
const quietMs = 25;
const longestMs = 100;

/** A Secret that is named for the first time is waited for so long, so that no host is served without it for a moment. */
const referenceMs = 500;

/** The same at the start, when there may be thousands. */
const firstReferenceMs = 30_000;

/** What is named may name others in turn: a ConfigMap of settings does. */
const maxRounds = 4;

/** More lines are not logged at every load. */
const maxLines = 1000;

/**
 * The source of `--kubernetes`: the objects of a cluster, watched. What is wrong with an object costs that object. While the API
 * server is not to be had, the last state is served; before the first whole one, nothing.
 */
export class KubernetesSource implements Source {
  readonly #options: KubernetesOptions;
  readonly #health: Health;
  readonly #webhook: { close(): Promise<void> } | null;
  #cluster: Cluster | null = null;
  readonly #memory = new TranslationMemory();
  readonly #checks = new CheckMemory();
  readonly #burst: Burst;
  readonly #listeners = new Set<(translation: Translation) => void>();
  #translateOptions: TranslateOptions | null = null;
  #onChange: (() => void) | null = null;
  /** Since objects were last translated. */
  #hasChanged = false;
  /** Whoever loads was told, and has not come yet. */
  #isTold = false;
  #isFirst = true;
  #toldLines: ReadonlySet<string> = new Set();

  constructor(options: KubernetesOptions) {
    this.#options = options;
    this.#health = new Health(options.log, options.report);
    this.#webhook = options.webhook?.(() => this.known()) ?? null;
    this.#burst = new Burst(quietMs, longestMs, () => {
      if (this.#isTold || this.#onChange === null) return;
      this.#isTold = true;
      this.#onChange();
    });
  }

  /** What is wrong between us and the API server. */
  get health(): HealthStatus {
    return this.#health.status;
  }

  /** What the status of an Ingress (`namespace/name`) says now; null: it is not known. */
  addressesOf(key: string): readonly Address[] | null {
    return this.#cluster?.addressesOf(key) ?? null;
  }

  /** Where clients come in by the published Service; null: it is not known. */
  published(): readonly Address[] | null {
    return this.#cluster?.published() ?? null;
  }

  status(): unknown {
    const { client, speaker } = this.#options;
    return { server: client.server, leads: speaker?.isLeading ?? false, ...this.#health.status };
  }

  /** Calls back with every translation, before it is in force. What it throws is lost. */
  onTranslation(listener: (translation: Translation) => void): void {
    this.#listeners.add(listener);
  }

  /** Everything as it is known now; null before the first whole state. */
  known(): Known | null {
    const [cluster, options] = [this.#cluster, this.#translateOptions];
    if (this.#isFirst || cluster === null || options === null) return null;
    return {
      options,
      objects: cluster.objects(),
      memory: this.#memory,
      looksAt: (namespace) => cluster.looksAt(namespace),
      hasAsked: (kind, key) => cluster.hasAsked(kind, key),
    };
  }

  /** The first waits for the first whole state of the cluster, however long that takes. */
  async load(): Promise<Loaded | Unloadable> {
    const now = Date.now();
    const cluster = (this.#cluster ??= this.#watchCluster());
    const { firstWithinMs } = this.#options;
    const isThere = await within(cluster.settled(), this.#isFirst ? firstWithinMs : undefined);
    if (!isThere)
      return { ok: false, problems: ['kubernetes / the cluster did not answer', ...this.health.faults] };
    const options = await this.#optionsNow(cluster);
    const { translation, objects } = await this.#translate(cluster, options);
    const { config, material } = translation;
    this.#isFirst = false;
    for (const listener of this.#listeners) {
      try {
        listener(translation);
      } catch {
        // A listener must not keep a configuration from coming into force.
      }
    }
    this.#options.speaker?.translated(translation, objects);
    const { requiresConfigMap, configMap } = options;
    if (requiresConfigMap && !hasConfigMap(cluster, configMap)) {
      return { ok: false, problems: [`kubernetes / there is no ConfigMap ${configMap}`] };
    }
    this.#checks.begin();
    const findings = await inSlices(hostwiseSteps(config, material, now, this.#checks));
    this.#checks.end();
    const problems: SourceProblem[] = [
      ...translation.problems.map((problem) => ({
        severity: problem.severity,
        kind: problem.object.kind,
        line: formatIngressProblem(problem),
      })),
      ...(translation.defaultFault === null
        ? []
        : [
            {
              severity: 'error' as const,
              kind: 'file' as const,
              line: `kubernetes / ${translation.defaultFault}`,
            },
          ]),
      ...findings.map(({ message }) => ({
        severity: 'warning' as const,
        kind: 'file' as const,
        line: `kubernetes / warning: ${message}`,
      })),
    ];
    const lines = new Map(problems.map((problem) => [problem.line, problem]));
    // Endpoints change all day: what was said is not said again each time.
    const news = [...lines.keys()].filter((line) => !this.#toldLines.has(line));
    this.#toldLines = new Set(lines.keys());
    return {
      ok: true,
      config,
      material,
      warnings: news.slice(0, maxLines),
      problems: [...lines.values()],
      place: ({ path, message }) => `kubernetes ${path === '' ? '/' : path} ${message}`,
    };
  }

  watch(onChange: () => void): { close(): void } {
    this.#onChange = onChange;
    // What came between the first load and now.
    if (this.#hasChanged) this.#burst.stir();
    return {
      close: () => {
        this.#onChange = null;
        this.#burst.close();
      },
    };
  }

  async close(): Promise<void> {
    this.#onChange = null;
    this.#burst.close();
    // Until it has ended, it may have to know what is there.
    await this.#options.speaker?.close();
    await this.#webhook?.close();
    this.#cluster?.close();
    await this.#options.client.close();
  }

  /** Translates; and again, when Secrets or ConfigMaps that are named for the first time have come. */
  async #translate(
    cluster: Cluster,
    options: TranslateOptions,
  ): Promise<{ readonly translation: Translation; readonly objects: readonly KubernetesObject[] }> {
    const until = performance.now() + (this.#isFirst ? firstReferenceMs : referenceMs);
    for (let round = 1; ; round++) {
      // All that has happened until now is in these objects.
      this.#burst.close();
      this.#hasChanged = false;
      this.#isTold = false;
      const objects = cluster.objects();
      const translation = translate(objects, options, this.#memory);
      const coming = cluster.refer(translation.references);
      const left = until - performance.now();
      if (coming === null || round === maxRounds || left <= 0) return { translation, objects };
      await within(coming, left);
    }
  }

  #watchCluster(): Cluster {
    const { client, namespace, namespaceSelector, service, publishedService, times = {} } = this.#options;
    return new Cluster({
      client,
      namespace,
      namespaceSelector,
      service,
      publishedService,
      times,
      health: this.#health,
      onChange: () => {
        this.#hasChanged = true;
        this.#burst.stir();
      },
    });
  }

  /** The same object for as long as nothing of it changes: what is remembered of a translation holds for one. */
  async #optionsNow(cluster: Cluster): Promise<TranslateOptions> {
    const requiresClass = cluster.knowsClasses;
    if (this.#translateOptions?.requiresClass !== requiresClass) {
      this.#translateOptions = {
        ...this.#options.translate,
        requiresClass,
        defaultCertificate: this.#translateOptions?.defaultCertificate ?? (await makeDefaultCertificate()),
      };
    }
    return this.#translateOptions;
  }
}

/** Whether it came in so many milliseconds. */
async function within(coming: Promise<void>, ms: number | undefined): Promise<boolean> {
  if (ms === undefined) return coming.then(() => true);
  const timer = new AbortController();
  const late = wait(ms, false, { signal: timer.signal }).catch(() => false);
  const isThere = await Promise.race([coming.then(() => true), late]);
  timer.abort();
  return isThere;
}

function hasConfigMap(cluster: Cluster, key: string | null): boolean {
  return (
    key === null || cluster.objects().some((object) => object.kind === 'ConfigMap' && keyOf(object) === key)
  );
}
