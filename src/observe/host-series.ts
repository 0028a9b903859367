import type { PolicyReason, RefusalReason, RequestReason } from '../snapshot/reason.ts';
import { answers } from '../snapshot/reason.ts';
import { reportable } from '../snapshot/report.ts';
import type { Families } from './families.ts';
import { isRefusal, unknown } from './labels.ts';
import { RouteSeries } from './route-series.ts';
import type { NumberSeries } from './series.ts';

type AbortReason = Exclude<RequestReason, RefusalReason | PolicyReason | 'ok'>;

const aborts: readonly AbortReason[] = ['client_abort', 'upstream_truncated'];

/** What is counted per request of one host, found without building a label. */
export class HostSeries {
  readonly received: NumberSeries;
  readonly sent: NumberSeries;
  /** Requests that came to no route of the host. */
  readonly unrouted: RouteSeries;
  readonly #families: Families;
  readonly #host: string;
  readonly #refused = new Map<RefusalReason, NumberSeries>();
  readonly #aborted = new Map<AbortReason, NumberSeries>();

  /** `host`: the label. */
  constructor(families: Families, host: string) {
    this.#families = families;
    this.#host = host;
    this.received = families.receivedBytes.series({ host });
    this.sent = families.sentBytes.series({ host });
    this.unrouted = new RouteSeries(families, host, unknown);
  }

  /** Every reason there is, at zero. */
  addBaseline(): void {
    for (const reason of Object.keys(answers) as RefusalReason[]) this.#refusal(reason);
    for (const reason of aborts) this.#abort(reason);
    this.#families.staleCrlRequests.series({ host: this.#host });
  }

  /** Of a host that only reports: what it may serve in spite of, at zero. */
  addReportBaseline(): void {
    for (const reason of reportable) this.#families.wouldDeny.series({ host: this.#host, reason });
  }

  ended(reason: RequestReason): void {
    if (reason === 'ok') return;
    if (isRefusal(reason)) this.#refusal(reason).value++;
    else if (aborts.includes(reason)) this.#abort(reason).value++;
  }

  underStaleCrl(): void {
    this.#families.staleCrlRequests.series({ host: this.#host }).value++;
  }

  wouldDeny(reason: RefusalReason): void {
    this.#families.wouldDeny.series({ host: this.#host, reason }).value++;
  }

  #refusal(reason: RefusalReason): NumberSeries {
    let series = this.#refused.get(reason);
    if (series === undefined) {
      series = this.#families.refusals.series({ host: this.#host, reason });
      this.#refused.set(reason, series);
    }
    return series;
  }

  #abort(reason: AbortReason): NumberSeries {
    let series = this.#aborted.get(reason);
    if (series === undefined) {
      series = this.#families.requestsAborted.series({ host: this.#host, reason });
      this.#aborted.set(reason, series);
    }
    return series;
  }
}
