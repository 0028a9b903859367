import { isDenial } from '../../snapshot/reason.ts';
import { LineRate } from '../line-rate.ts';
import type { HandshakeEvent, Observer, RequestEvent } from '../observer.ts';
import { type Denial, denialOfHandshake, denialOfRequest } from './record.ts';

/** Records in a second of connections refused for their number: an attack must not push everything else out. */
const overloads = 10;

/** Makes a record of each denial that it hears of. Of everything else it looks at one field. */
export class DenialRecorder implements Observer {
  readonly #keep: (denial: Denial) => void;
  readonly #now: () => number;
  readonly #overloads: LineRate;

  /**
   * @param keep Takes each record.
   * @param now Milliseconds since 1970.
   */
  constructor(keep: (denial: Denial) => void, now: () => number = Date.now) {
    this.#keep = keep;
    this.#now = now;
    this.#overloads = new LineRate(overloads, now);
  }

  request(event: RequestEvent): void {
    const { reason, detail, decision } = event;
    const { wouldDeny } = decision;
    if (wouldDeny !== undefined) {
      const why = { outcome: 'report', reason: wouldDeny.reason, detail: wouldDeny.detail } as const;
      this.#keep(denialOfRequest(event, this.#now(), why));
    }
    if (reason === 'ok' || !isDenial(reason)) return;
    const words = detail ?? (decision.action === 'respond' ? decision.detail : null);
    this.#keep(denialOfRequest(event, this.#now(), { outcome: 'denied', reason, detail: words }));
  }

  handshake(event: HandshakeEvent): void {
    if (event.result === 'accepted') return;
    const { reason } = event;
    const isOverload = reason === 'overload' || reason === 'address_overload' || reason === 'proxy_protocol';
    if (isOverload && this.#overloads.pass() === null) return;
    this.#keep(denialOfHandshake(event, this.#now()));
  }

  connectionOpened(): void {}
  connectionClosed(): void {}
  connectionRefused(): void {}
  connectionEnded(): void {}
  ocsp(): void {}
  staple(): void {}
  upstream(): void {}
  reload(): void {}
}
