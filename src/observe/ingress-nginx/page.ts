import type { MetricObject } from 'prom-client';
import type { Families } from '../families.ts';
import { HistogramFamily, NumberFamily, type FamilyState } from '../series.ts';
import { aliases, controllerLabels, type Alias } from './names.ts';
import type { SnapshotFacts } from './facts.ts';

/** Who runs the controller: labels of every series. Empty where nobody says. */
export interface Controller {
  readonly controllerClass: string;
  readonly namespace: string;
  readonly pod: string;
}

type Labels = Readonly<Record<string, string>>;

/**
 * The metrics of ingress-nginx, made from ours when the page is asked for: so they cost a request nothing, cannot differ
 * from ours, and have no more series.
 */
export function ingressNginxPage(
  families: Families,
  process: readonly MetricObject[],
  facts: SnapshotFacts,
  controller: Controller,
): string {
  const page = new Page(controller);
  const { numbers, histogram, sum } = page;

  const requests = samplesOf(families.requests.state(), families.requests.declaration.labels);
  for (const { labels, value } of requests) {
    const { method = '', status = '' } = labels;
    numbers(aliases.requests, { ...facts.routeLabels(labels), method, status }, value);
  }
  for (const { labels, values } of samplesOf(
    families.requestDuration.state(),
    families.requestDuration.declaration.labels,
  )) {
    const { status = '' } = labels;
    histogram(aliases.requestDuration, { ...facts.routeLabels(labels), status }, values);
  }
  for (const { labels, values } of samplesOf(families.upstreamDuration.state(), ['upstream'])) {
    histogram(aliases.headerDuration, facts.upstreamLabels(labels['upstream'] ?? ''), values);
  }
  const answered = new Map<string, number>();
  for (const { labels, value } of requests) {
    const { host = '' } = labels;
    answered.set(host, (answered.get(host) ?? 0) + value);
  }
  for (const [alias, family] of [
    [aliases.requestSize, families.receivedBytes],
    [aliases.responseSize, families.sentBytes],
  ] as const) {
    for (const { labels, value } of samplesOf(family.state(), ['host'])) {
      const { host = '' } = labels;
      histogram(alias, facts.hostLabels(host), [answered.get(host) ?? 0, value]);
    }
  }

  const { controllerClass } = controller;
  for (const { labels, value } of samplesOf(families.serverCertificateNotAfter.state(), ['host'])) {
    const { ingress: _ingress, ...host } = facts.hostLabels(labels['host'] ?? '');
    numbers(aliases.sslExpireTime, { ...host, class: controllerClass }, value);
  }
  for (const { host, labels } of facts.certificates) {
    const { ingress: _ingress, ...of } = facts.hostLabels(host);
    numbers(aliases.sslCertificateInfo, { ...of, ...labels, class: controllerClass }, 1);
  }

  sum(aliases.lastReloadSuccessful, {}, families.lastReloadSuccessful.state());
  sum(aliases.lastReloadTimestamp, {}, families.lastReloadTimestamp.state());
  sum(aliases.configHash, {}, families.configHash.state());
  const reloads = samplesOf(families.reloads.state(), ['result']);
  for (const { labels, value } of reloads) {
    numbers(labels['result'] === 'success' ? aliases.success : aliases.errors, {}, value);
  }
  for (const { labels } of samplesOf(families.buildInfo.state(), ['version'])) {
    numbers(aliases.buildInfo, { release: labels['version'] ?? '' }, 1);
  }
  sum(aliases.connections, { state: 'active' }, families.openConnections.state());
  sum(aliases.connectionsTotal, { state: 'handled' }, families.connections.state());
  sum(aliases.connectionsTotal, { state: 'accepted' }, families.connections.state());
  sum(aliases.connectionsTotal, { state: 'accepted' }, families.connectionsRefused.state());
  sum(aliases.requestsTotal, {}, families.requests.state());
  sum(aliases.processes, {}, families.workersReady.state());
  for (const alias of [aliases.cpu, aliases.residentMemory, aliases.virtualMemory]) {
    const found = process.find(({ name }) => name === alias.from[0]);
    for (const { value } of valuesOf(found)) numbers(alias, {}, value);
  }
  return page.print();
}

/** prom-client's types leave the numbers out. */
function valuesOf(metric: MetricObject | undefined): readonly { readonly value: number }[] {
  return (metric as { readonly values?: readonly { readonly value: number }[] } | undefined)?.values ?? [];
}

interface Sample {
  readonly labels: Labels;
  readonly values: readonly number[];
  /** The first of them: a counter's or a gauge's only one. */
  readonly value: number;
}

/** @param names Of the labels, or the first of them. */
function samplesOf(state: FamilyState, names: readonly string[]): Sample[] {
  return state.map(([values, numbers]) => ({
    labels: Object.fromEntries(names.map((name, index) => [name, values[index] ?? ''])),
    values: numbers,
    value: numbers[0] ?? 0,
  }));
}

/** Families by alias; what has the same labels is added up. */
class Page {
  readonly #controller: Labels;
  readonly #numbers = new Map<Alias, NumberFamily<string>>();
  readonly #histograms = new Map<Alias, HistogramFamily<string>>();

  constructor({ controllerClass, namespace, pod }: Controller) {
    const [ofClass, ofNamespace, ofPod] = controllerLabels;
    this.#controller = { [ofClass]: controllerClass, [ofNamespace]: namespace, [ofPod]: pod };
  }

  readonly numbers = (alias: Alias, labels: Labels, value: number): void => {
    let family = this.#numbers.get(alias);
    if (family === undefined) this.#numbers.set(alias, (family = new NumberFamily(alias)));
    family.series({ ...labels, ...this.#controller }).value += value;
  };

  readonly sum = (alias: Alias, labels: Labels, state: FamilyState): void => {
    for (const [, [value = 0]] of state) this.numbers(alias, labels, value);
  };

  readonly histogram = (
    alias: (typeof aliases)['requestSize'],
    labels: Labels,
    values: readonly number[],
  ): void => {
    let family = this.#histograms.get(alias);
    if (family === undefined) this.#histograms.set(alias, (family = new HistogramFamily(alias)));
    const all = { ...labels, ...this.#controller };
    family.absorb([[alias.labels.map((name) => (all as Labels)[name] ?? ''), values]], 'sum');
  };

  print(): string {
    return Object.values<Alias>(aliases)
      .map((alias) => (this.#numbers.get(alias) ?? this.#histograms.get(alias))?.print() ?? '')
      .join('');
  }
}
