import { problemKinds, type SourceProblem } from '../config/source.ts';
import { performance } from 'node:perf_hooks';
import { Registry } from 'prom-client';
import {
  connectionEnds,
  connectionRefusals,
  policyReasons,
  type PolicyReason,
  type RefusalReason,
} from '../snapshot/reason.ts';
import type { Host, Route, Snapshot } from '../snapshot/snapshot.ts';
import { CertificateSeries } from './certificate-series.ts';
import { createFamilies, type Families } from './families.ts';
import { addHandshakeBaseline, HandshakeSeries } from './handshake-series.ts';
import { reportsSomething } from '../snapshot/report.ts';
import { HostSeries } from './host-series.ts';
import { SnapshotFacts } from './ingress-nginx/facts.ts';
import { ingressNginxPage, type Controller } from './ingress-nginx/page.ts';
import {
  kubernetesFaults,
  type KubernetesFault,
  listenerLabel,
  unknown,
  type WebhookAnswer,
  webhookAnswers,
} from './labels.ts';
import type {
  ConnectionEndedEvent,
  ConnectionRefusedEvent,
  HandshakeEvent,
  Observer,
  OcspEvent,
  ReloadEvent,
  RequestEvent,
  StapleEvent,
  UpstreamEvent,
} from './observer.ts';
import {
  absorb,
  foldFamilies,
  foldProcesses,
  legacyOf,
  type MetricsState,
  printFamilies,
  printProcesses,
  stateOf,
} from './page.ts';
import { OcspSeries } from './ocsp-series.ts';
import { createProcessMetrics } from './process-metrics.ts';
import { policyPlace, RouteSeries } from './route-series.ts';
import type { NumberSeries } from './series.ts';
import { type Expiring, windows } from './inventory/inventory.ts';
import { UpstreamSeries } from './upstream-series.ts';

/**
 * Hosts up to which every reason has a series at zero from the start, so that the first refusal is an increase
 * that an alert sees: some 110 lines of the page each. With more hosts only `_` has them; the other series come
 * with their first event.
 */
export const maxBaselineHosts = 100;

/** How a worker process came to an end that nobody had asked for. */
export type WorkerEnd = (typeof workerEnds)[number];
export const workerEnds = ['exit', 'signal', 'unresponsive'] as const;

/** Why a log line was not written: whoever reads the log is too slow, or writing it failed. */
export type LogLoss = 'back_pressure' | 'error';

export interface MetricsOptions {
  /** The program's. */
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Without the metrics of the process: for tests that make many. */
  readonly process?: boolean;
  /** Labels of what stands under ingress-nginx's names. */
  readonly controller?: Partial<Controller>;
  /** Of the identities that are remembered, as of a time in milliseconds since 1970. */
  readonly expiring?: (now: number) => Expiring;
}

/** Of one listener. */
interface ConnectionSeries {
  readonly accepted: NumberSeries;
  readonly open: NumberSeries;
}

const nobody = (): Expiring => ({ kept: 0, within: windows.map(() => 0) });

const policyReasonSet: ReadonlySet<string> = new Set(policyReasons);

/**
 * Counts what is observed, and prints it for Prometheus. Hosts, routes and upstreams are those of the snapshot
 * described last: what left it loses its series, and whatever still ends for it counts as `_`.
 */
export class Metrics implements Observer {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  readonly #families: Families = createFamilies();
  readonly #process: Registry | null;
  readonly #connections = new Map<string, ConnectionSeries>();
  readonly #handshakes = new HandshakeSeries(this.#families);
  readonly #upstreams = new UpstreamSeries(this.#families);
  readonly #certificates = new CertificateSeries(this.#families);
  readonly #ocsp = new OcspSeries(this.#families);
  readonly #now: () => number;
  readonly #expiring: (now: number) => Expiring;
  readonly #noHost = new HostSeries(this.#families, unknown);
  #inherited: Promise<MetricsState['process']> = Promise.resolve([]);
  readonly #hosts = new Map<string, HostSeries>();
  readonly #routes = new Map<string, RouteSeries>();
  /** The hosts described last. One that is the very same object again costs nothing. */
  #described: ReadonlyMap<string, Host> = new Map();
  #hasBaseline = false;

  readonly #controller: Controller;
  /** Where ingress-nginx's names are wanted; worked out when the page is asked for, and not while a reload holds things up. */
  #ingressNginxFacts: { readonly snapshot: Snapshot; known: SnapshotFacts | null } | null = null;

  constructor({
    version,
    now = Date.now,
    process: withProcess = true,
    controller = {},
    expiring = nobody,
  }: MetricsOptions) {
    this.#controller = { controllerClass: 'k8s.io/ingress-nginx', namespace: '', pod: '', ...controller };
    const families = this.#families;
    this.#expiring = expiring;
    this.#now = now;
    this.#process = withProcess ? createProcessMetrics() : null;
    this.#noHost.addBaseline();
    for (const listener of ['https', 'http'] as const) {
      families.connections.series({ listener });
      families.openConnections.series({ listener });
      for (const reason of connectionRefusals) families.connectionsRefused.series({ listener, reason });
      for (const reason of connectionEnds) families.connectionsEnded.series({ listener, reason });
    }
    for (const result of ['success', 'failure'] as const) families.reloads.series({ result });
    for (const reason of ['back_pressure', 'error'] as const) families.logLinesDropped.series({ reason });
    families.observerErrors.series({});
    families.lastReloadSuccessful.series({});
    families.lastReloadTimestamp.series({});
    this.problems([]);
    this.workers({ wanted: 1, ready: 1, configurations: 1 });
    const { node, openssl } = process.versions;
    families.buildInfo.series({ version, node, openssl }).value = 1;
  }

  /** Takes over the hosts, routes, upstreams and certificates of a snapshot that now serves. */
  describeSnapshot(snapshot: Snapshot): void {
    const hosts = snapshot.hosts.all;
    this.#ingressNginxFacts = snapshot.ingressNginxNames ? { snapshot, known: null } : null;
    const baseline = hosts.length <= maxBaselineHosts;
    // Of few hosts every series has a baseline, which depends on more than the host.
    const anew = baseline || this.#hasBaseline;
    const before = this.#described;
    const described = new Map(hosts.map((host) => [host.id, host]));
    const changed = anew ? described : new Map(hosts.flatMap((host) => isNew(host, before)));
    const gone = new Set([...before.keys()].filter((id) => !described.has(id)));
    this.#retain(changed, gone);
    this.#handshakes.forget();
    addHandshakeBaseline(this.#families, snapshot, null);
    for (const id of gone) {
      this.#hosts.delete(id);
      for (const route of before.get(id)?.routes.all ?? []) this.#routes.delete(route.id);
    }
    for (const host of changed.values()) {
      this.#describeHost(host, before.get(host.id) ?? null, baseline);
      if (baseline) addHandshakeBaseline(this.#families, snapshot, host);
    }
    this.#described = described;
    this.#hasBaseline = baseline;
    this.#upstreams.describe(snapshot);
    this.#certificates.describe(snapshot);
    this.#ocsp.describe(snapshot);
    this.#describeVersion(snapshot);
  }

  handshake(event: HandshakeEvent): void {
    const known = event.host !== null && this.#hosts.has(event.host);
    this.#handshakes.count(event, known ? event.host : unknown);
  }

  request(event: RequestEvent): void {
    const { decision, reason, upstream } = event;
    const host = (decision.host === null ? undefined : this.#hosts.get(decision.host.id)) ?? this.#noHost;
    const route =
      (decision.route === null ? undefined : this.#routes.get(decision.route.id)) ?? host.unrouted;
    route.request(event.method, event.status, event.durationMs / 1000);
    const { wouldDeny } = decision;
    if (wouldDeny !== undefined) {
      host.wouldDeny(wouldDeny.reason);
      if (isPolicyReason(wouldDeny.reason)) route.wouldDeny(wouldDeny.reason);
    }
    if (decision.action === 'forward') {
      if (wouldDeny === undefined) route.allowed();
      if (decision.staleCrl !== undefined) host.underStaleCrl();
    } else if (isPolicyReason(decision.reason)) route.denied(decision.reason);
    if (reason !== 'ok') host.ended(reason);
    host.received.value += event.bytesReceived;
    host.sent.value += event.bytesSent;
    if (upstream !== null && upstream.headMs !== null) {
      this.#upstreams.answered(upstream.upstream, upstream.headMs / 1000);
    }
  }

  connectionOpened(listener: string): void {
    const { accepted, open } = this.#connectionsOf(listener);
    accepted.value++;
    open.value++;
  }

  connectionClosed(listener: string): void {
    this.#connectionsOf(listener).open.value--;
  }

  #connectionsOf(listener: string): ConnectionSeries {
    const label = listenerLabel(listener);
    const known = this.#connections.get(label);
    if (known !== undefined) return known;
    const labels = { listener: label };
    const { connections, openConnections } = this.#families;
    const series = { accepted: connections.series(labels), open: openConnections.series(labels) };
    this.#connections.set(label, series);
    return series;
  }

  connectionRefused({ listener, reason }: ConnectionRefusedEvent): void {
    this.#families.connectionsRefused.series({ listener: listenerLabel(listener), reason }).value++;
  }

  connectionEnded({ listener, reason }: ConnectionEndedEvent): void {
    this.#families.connectionsEnded.series({ listener: listenerLabel(listener), reason }).value++;
  }

  ocsp(event: OcspEvent): void {
    this.#ocsp.checked(event);
  }

  staple(event: StapleEvent): void {
    this.#ocsp.stapled(event);
  }

  upstream(event: UpstreamEvent): void {
    this.#upstreams.event(event);
  }

  reload({ result }: ReloadEvent): void {
    const families = this.#families;
    families.reloads.series({ result }).value++;
    families.lastReloadSuccessful.series({}).value = result === 'success' ? 1 : 0;
    if (result === 'success') families.lastReloadTimestamp.series({}).value = this.#now() / 1000;
  }

  /** How many watches of a cluster fail; without a cluster nobody calls it, and there is no such series. */
  kubernetesFailing(count: number): void {
    this.#families.kubernetesFailing.series({}).value = count;
    for (const reason of kubernetesFaults) this.#families.kubernetesFaults.series({ reason });
  }

  kubernetesFault(reason: KubernetesFault): void {
    this.#families.kubernetesFaults.series({ reason }).value++;
  }

  /** Without a webhook nobody calls it, and there are no such series. */
  webhookKept(isKept: boolean): void {
    this.#families.webhookKept.series({}).value = isKept ? 1 : 0;
    for (const answer of webhookAnswers) this.#families.webhookReviews.series({ answer });
  }

  webhookReview(answer: WebhookAnswer): void {
    this.#families.webhookReviews.series({ answer }).value++;
  }

  /** What the source that was loaded last has wrong with it; in place of what was told before. */
  problems(problems: readonly SourceProblem[]): void {
    for (const severity of ['error', 'warning'] as const) {
      for (const kind of problemKinds) {
        this.#families.problems.series({ severity, kind }).value = problems.filter(
          (problem) => problem.severity === severity && problem.kind === kind,
        ).length;
      }
    }
  }

  logLineDropped(reason: LogLoss): void {
    this.#families.logLinesDropped.series({ reason }).value++;
  }

  observerFailed(): void {
    this.#families.observerErrors.series({}).value++;
  }

  /** Worker processes: how many there should be, how many take traffic, and how many configurations they serve. */
  workers(counts: {
    readonly wanted: number;
    readonly ready: number;
    readonly configurations: number;
  }): void {
    const families = this.#families;
    families.workers.series({}).value = counts.wanted;
    families.workersReady.series({}).value = counts.ready;
    families.workerConfigurations.series({}).value = counts.configurations;
    for (const reason of workerEnds) families.workerRestarts.series({ reason });
  }

  workerRestarted(reason: WorkerEnd): void {
    this.#families.workerRestarts.series({ reason }).value++;
  }

  /** The page, in Prometheus's text format. */
  async render(): Promise<string> {
    this.#update();
    const process = this.#process === null ? '' : await this.#process.metrics();
    const alike = await this.#ingressNginx(
      this.#families,
      async () => this.#process?.getMetricsAsJSON() ?? [],
    );
    return printFamilies(this.#families) + process + alike;
  }

  /** The page of this process and those that it supervises as one. */
  async renderWith(states: readonly MetricsState[]): Promise<string> {
    this.#update();
    const families = foldFamilies(this.#families, states);
    const others = [await this.#inherited, ...states.map((one) => one.process)];
    const own = this.#process;
    const process = own === null ? '' : await printProcesses(own, others);
    const alike = await this.#ingressNginx(families, async () =>
      foldProcesses([(await own?.getMetricsAsJSON()) ?? [], ...others]),
    );
    return printFamilies(families) + process + alike;
  }

  /** The same under ingress-nginx's names, where they are wanted; empty otherwise. */
  async #ingressNginx(families: Families, process: () => Promise<MetricsState['process']>): Promise<string> {
    const facts = this.#ingressNginxFacts;
    if (facts === null) return '';
    facts.known ??= new SnapshotFacts(facts.snapshot);
    return ingressNginxPage(families, await process(), facts.known, this.#controller);
  }

  /** What some of the metrics have come to. */
  stateOf(names: readonly (keyof Families)[]): MetricsState['families'] {
    return Object.fromEntries(names.map((name) => [name, this.#families[name].state()]));
  }

  /** What a supervisor needs of this process for its page. */
  async state(): Promise<MetricsState> {
    this.#update();
    const process = this.#process === null ? [] : await this.#process.getMetricsAsJSON();
    return { families: stateOf(this.#families), process };
  }

  /**
   * Takes over what a process had counted that is gone, so that no counter goes back: to Prometheus that would be
   * a start from zero, and all it had counted would be counted again.
   */
  inherit(state: MetricsState): void {
    const { families, process } = legacyOf(state);
    absorb(this.#families, families);
    this.#inherited = this.#inherited.then((before) => foldProcesses([before, process]));
  }

  #update(): void {
    this.#certificates.update(this.#now());
    const { kept, within } = this.#expiring(this.#now());
    this.#families.identities.series({}).value = kept;
    for (const [index, days] of windows.entries()) {
      this.#families.identitiesExpiring.series({ window: `${days}d` }).value = within[index]!;
    }
    this.#families.eventLoopActive.series({}).value = performance.eventLoopUtilization().active / 1000;
  }

  #describeHost(host: Host, before: Host | null, baseline: boolean): void {
    const series = this.#hosts.get(host.id) ?? new HostSeries(this.#families, host.id);
    this.#hosts.set(host.id, series);
    series.unrouted.setPolicies(host, null, baseline);
    if (baseline) series.addBaseline();
    if (baseline && reportsSomething(host)) series.addReportBaseline();
    const kept = new Map(before?.routes.all.map(({ id }) => [id, this.#routes.get(id)]));
    for (const id of kept.keys()) this.#routes.delete(id);
    for (const route of host.routes.all) {
      const one = kept.get(route.id) ?? new RouteSeries(this.#families, host.id, route.id);
      this.#routes.set(route.id, one);
      one.setPolicies(host, route, baseline);
    }
  }

  /** Forgets what belongs to hosts that are gone, and to routes and policies that those that changed no longer have. */
  #retain(changed: ReadonlyMap<string, Host>, gone: ReadonlySet<string>): void {
    if (gone.size === 0 && changed.size === 0) return;
    const routes = new Map<string, Route>();
    for (const { routes: all } of changed.values()) for (const route of all.all) routes.set(route.id, route);
    const host = (labels: { readonly host: string }): boolean => !gone.has(labels.host);
    const route = (labels: { readonly host: string; readonly route: string }): boolean =>
      host(labels) && (labels.route === unknown || !changed.has(labels.host) || routes.has(labels.route));
    const families = this.#families;
    if (gone.size > 0) {
      for (const name of [
        'handshakes',
        'sessionsResumed',
        'requestsAborted',
        'refusals',
        'staleCrlRequests',
      ] as const) {
        families[name].retain(host);
      }
      families.receivedBytes.retain(host);
      families.sentBytes.retain(host);
    }
    families.requests.retain(route);
    families.requestDuration.retain(route);
    families.policyDecisions.retain((labels) => {
      if (!route(labels)) return false;
      const on = changed.get(labels.host);
      return on === undefined || policyPlace(on, routes.get(labels.route) ?? null) === labels.policy;
    });
  }

  #describeVersion({ version, hosts }: Snapshot): void {
    const families = this.#families;
    families.hosts.series({}).value = hosts.all.length;
    families.configInfo.retain((labels) => labels.version === version);
    families.configInfo.series({ version }).value = 1;
    families.configHash.series({}).value = Number.parseInt(version.slice(0, 12), 16);
  }
}

function isPolicyReason(reason: RefusalReason): reason is PolicyReason {
  return policyReasonSet.has(reason);
}

/** The host with its id, where it is not the very object that was there before. */
function isNew(host: Host, before: ReadonlyMap<string, Host>): (readonly [string, Host])[] {
  return before.get(host.id) === host ? [] : [[host.id, host]];
}
