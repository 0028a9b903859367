import { handshakeFailures, handshakeReasons, type HandshakeReason } from '../snapshot/reason.ts';
import type { Host, Snapshot } from '../snapshot/snapshot.ts';
import type { Families } from './families.ts';
import { handshakeReasonLabel, listenerLabel, tlsVersionLabel, unknown } from './labels.ts';
import type { HandshakeEvent } from './observer.ts';
import type { HistogramSeries, NumberSeries } from './series.ts';

/** Pairs of TLS version and cipher kept apart; what OpenSSL can negotiate stays far below. */
const maxTlsPairs = 64;

const failures: ReadonlySet<HandshakeReason> = new Set<HandshakeReason>(handshakeFailures);
const verificationReasons = handshakeReasons.filter(
  (reason) => reason !== 'ok' && reason !== 'no_certificate' && !failures.has(reason),
);

/** Most kinds of handshake whose series are at hand: some tens at each of a few hundred hosts. */
const maxKinds = 8192;

/** The series that one kind of handshake counts in. */
interface KindSeries {
  readonly count: NumberSeries;
  readonly duration: HistogramSeries;
  readonly resumed: NumberSeries | null;
  readonly tls: NumberSeries | null;
}

/** Counts handshakes, and keeps the series at hand: to find six by their labels costs more than to count. */
export class HandshakeSeries {
  readonly #families: Families;
  readonly #kinds = new Map<string, KindSeries>();

  constructor(families: Families) {
    this.#families = families;
  }

  /** Counts one handshake. `host` is a label: an id of the snapshot, or `_`. */
  count(event: HandshakeEvent, host: string): void {
    const { listener, result, reason, resumed, tlsVersion, cipher } = event;
    const kind = `${result} ${reason} ${resumed} ${tlsVersion} ${cipher} ${listener} ${host}`;
    let series = this.#kinds.get(kind);
    if (series === undefined) {
      series = seriesOf(this.#families, event, host);
      if (this.#kinds.size >= maxKinds) this.#kinds.clear();
      this.#kinds.set(kind, series);
    }
    series.count.value++;
    series.duration.observe(event.durationMs / 1000);
    if (series.resumed !== null) series.resumed.value++;
    if (series.tls !== null) series.tls.value++;
  }

  /** Series were dropped: what is at hand may count into the void. */
  forget(): void {
    this.#kinds.clear();
  }
}

function seriesOf(families: Families, event: HandshakeEvent, host: string): KindSeries {
  const { result } = event;
  const listener = listenerLabel(event.listener);
  const resumed = String(event.resumed);
  const labels = {
    listener,
    host,
    result,
    reason: handshakeReasonLabel(event.reason),
    tls_version: tlsVersionLabel(event.tlsVersion),
    resumed,
  };
  return {
    count: families.handshakes.series(labels),
    duration: families.handshakeDuration.series({ listener, result, resumed }),
    resumed: event.resumed ? families.sessionsResumed.series({ listener, host }) : null,
    tls: tlsSeries(families, event),
  };
}

function tlsSeries(families: Families, { tlsVersion, cipher }: HandshakeEvent): NumberSeries | null {
  if (tlsVersion === null || cipher === null) return null;
  const room = families.tlsInfo.size < maxTlsPairs;
  return families.tlsInfo.series({ version: tlsVersionLabel(tlsVersion), cipher: room ? cipher : 'other' });
}

/**
 * Handshakes of a host at zero: every reason it can meet, for every TLS version it takes, so that the very
 * first failure already shows as an increase. A resumed session is there at zero only where it is accepted:
 * one that fails again was counted when it failed the first time. Without a host, the failures that come
 * before one is known.
 */
export function addHandshakeBaseline(families: Families, snapshot: Snapshot, host: Host | null): void {
  const listener = 'https';
  const add = (result: string, reason: HandshakeReason, tls_version: string, resumed = 'false'): void => {
    families.handshakes.series({ listener, host: host?.id ?? unknown, result, reason, tls_version, resumed });
  };
  for (const reason of handshakeFailures) add('rejected', reason, 'none');
  if (host === null) return;
  families.sessionsResumed.series({ listener, host: host.id });
  const modes = new Set([host, ...host.routes.all].map(({ clientAuth }) => clientAuth.mode));
  for (const version of snapshot.minVersion === 'TLSv1.3' ? ['TLSv1.3'] : ['TLSv1.2', 'TLSv1.3']) {
    for (const resumed of ['false', 'true']) {
      add('accepted', 'ok', version, resumed);
      if (modes.has('optional') || modes.has('optional_no_ca'))
        add('accepted', 'no_certificate', version, resumed);
    }
    if (modes.size === 1 && modes.has('off')) continue;
    if (modes.has('require')) add('rejected', 'no_certificate', version);
    for (const reason of verificationReasons) add('rejected', reason, version);
    if (!modes.has('optional_no_ca')) continue;
    for (const reason of ['untrusted', 'self_signed'] as const) add('accepted', reason, version);
  }
}
