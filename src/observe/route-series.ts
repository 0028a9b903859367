import type { Policy } from '../policy/policy.ts';
import type { PolicyReason } from '../snapshot/reason.ts';
import type { Host, Route } from '../snapshot/snapshot.ts';
import type { Families } from './families.ts';
import {
  foldStatus,
  methodIndex,
  methodLabel,
  otherMethod,
  statusClass,
  statusClasses,
  statusLabel,
} from './labels.ts';
import type { HistogramSeries, NumberSeries } from './series.ts';

/**
 * Series of `mtls_requests_total` made one by one, over all routes. Past it, new ones keep the class
 * of their status alone: a client that tries every method and status on every route cannot grow the page further.
 */
export const maxRequestSeries = 20_000;

/** Where the policies stand that cover a route. */
export type PolicyPlace = 'host' | 'route' | 'both';

export function policyPlace(host: Host, route: Route | null): PolicyPlace | null {
  const onRoute = route !== null && route.policy !== null;
  if (host.policy !== null) return onRoute ? 'both' : 'host';
  return onRoute ? 'route' : null;
}

/** What is counted per request of one route, found without building a label. */
export class RouteSeries {
  readonly #families: Families;
  readonly #host: string;
  readonly #route: string;
  readonly #requests = new Map<number, NumberSeries>();
  readonly #durations: (HistogramSeries | undefined)[] = Array.from({ length: statusClasses });
  readonly #denied = new Map<PolicyReason, NumberSeries>();
  #allowed: NumberSeries | null = null;
  #place: PolicyPlace | null = null;

  /** `host` and `route`: the labels. */
  constructor(families: Families, host: string, route: string) {
    this.#families = families;
    this.#host = host;
    this.#route = route;
  }

  /** Takes over the policies of a snapshot; with `baseline`, at zero for every answer they can give. */
  setPolicies(host: Host, route: Route | null, baseline: boolean): void {
    this.#place = policyPlace(host, route);
    this.#allowed = null;
    this.#denied.clear();
    if (!baseline || this.#place === null) return;
    // Without a route nothing is ever allowed by the host's policy: the request is then answered 404.
    if (route !== null) this.#allow();
    for (const reason of reasonsOf(host.policy, route?.policy ?? null)) this.#deny(reason);
  }

  request(method: string, status: number, seconds: number): void {
    const statuses = statusClass(status);
    this.#requestSeries(methodIndex(method), foldStatus(status), statuses).value++;
    const duration = (this.#durations[statuses] ??= this.#families.requestDuration.series({
      host: this.#host,
      route: this.#route,
      status: statusLabel(statuses),
    }));
    duration.observe(seconds);
  }

  /** Forwarded: whatever policies there are have said yes. */
  allowed(): void {
    if (this.#place !== null) this.#allow().value++;
  }

  denied(reason: PolicyReason): void {
    this.#deny(reason).value++;
  }

  /** Forwarded, though a policy said no: it only reports. */
  wouldDeny(reason: PolicyReason): void {
    this.#decision('would_deny', reason).value++;
  }

  #requestSeries(method: number, status: number, statuses: number): NumberSeries {
    const key = method * 1000 + status;
    const known = this.#requests.get(key);
    if (known !== undefined) return known;
    const { requests } = this.#families;
    const room = requests.size < maxRequestSeries;
    const series = requests.series({
      host: this.#host,
      route: this.#route,
      method: methodLabel(room ? method : otherMethod),
      status: statusLabel(room ? status : statuses),
    });
    this.#requests.set(key, series);
    return series;
  }

  #allow(): NumberSeries {
    return (this.#allowed ??= this.#decision('allow', 'ok'));
  }

  #deny(reason: PolicyReason): NumberSeries {
    let series = this.#denied.get(reason);
    if (series === undefined) this.#denied.set(reason, (series = this.#decision('deny', reason)));
    return series;
  }

  #decision(decision: string, reason: string): NumberSeries {
    return this.#families.policyDecisions.series({
      host: this.#host,
      route: this.#route,
      policy: this.#place ?? 'host',
      decision,
      reason,
    });
  }
}

/** The reasons that these policies can deny for: those of their rules, and the two that any policy can. */
function reasonsOf(...policies: readonly (Policy | null)[]): ReadonlySet<PolicyReason> {
  const reasons = new Set<PolicyReason>(['policy_no_identity', 'policy_not']);
  const visit = (policy: Policy): void => {
    switch (policy.kind) {
      case 'rule':
        reasons.add(policy.reason);
        return;
      case 'not':
        visit(policy.part);
        return;
      case 'all':
      case 'any':
        for (const part of policy.parts) visit(part);
    }
  };
  for (const policy of policies) if (policy !== null) visit(policy);
  return reasons;
}
