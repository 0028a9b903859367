import type { X509Certificate } from 'node:crypto';
import type { Judged } from '../../snapshot/connection.ts';
import type { OcspSettings } from '../../snapshot/snapshot.ts';
import type { Judgement } from '../handshake.ts';
import type { LoadedStore } from '../loaded-store.ts';
import type { VerdictFailed } from '../verdict.ts';
import type { OcspLookup, Status } from './lookup.ts';

/** Milliseconds for which a connection lives at most that was let in without an answer. */
const softPassFor = 3_600_000;

/** What asking about a client's certificate came to, under one trust store. */
export interface StatusFacts {
  readonly result: Status['status'];
  /** The client gets on: it is good, or nothing is known and that is enough. */
  readonly passed: boolean;
  /** Why nothing is known, for the log; null where something is. */
  readonly detail: string | null;
}

/** Asks responders about certificates that were proven: whoever shows another makes us ask nobody. */
export class StatusCheck {
  readonly #lookup: Pick<OcspLookup, 'find'>;
  readonly #now: () => number;

  /** @param now Milliseconds since 1970. */
  constructor(lookup: Pick<OcspLookup, 'find'>, now: () => number) {
    this.#lookup = lookup;
    this.#now = now;
  }

  /**
   * What a handshake says once responders have been heard about its certificate: under each trust store that it was proven
   * under and that asks, at once.
   *
   * @param tell Called for each of them.
   */
  async complete(
    judgement: Judgement,
    leaf: X509Certificate,
    stores: readonly Pick<LoadedStore, 'trust'>[],
    tell: (facts: StatusFacts) => void,
  ): Promise<Judgement> {
    const judged = new Map(judgement.judged);
    await Promise.all(
      stores.map(async ({ trust: { key, ocsp } }) => {
        const issuer = judgement.issuers.get(key);
        const before = judged.get(key);
        if (ocsp === null || before?.verdict.status !== 'success') return;
        // Unasked it must not stay a success.
        judged.delete(key);
        if (issuer === undefined) return;
        const responder = ocsp.responder === null ? null : new URL(ocsp.responder);
        const status = await this.#lookup.find(leaf.raw, issuer, { ...ocsp, responder });
        const after = this.#judge(ocsp, status, before);
        judged.set(key, after);
        const { status: result, detail } = status;
        tell({ result, passed: after.verdict.status === 'success', detail });
      }),
    );
    return { ...judgement, judged };
  }

  #judge({ mode, maxAgeMs }: OcspSettings, { status, detail, validUntil }: Status, before: Judged): Judged {
    if (status === 'good') return { ...before, validUntil };
    if (status === 'revoked') return { verdict: revoked, chain: [] };
    if (mode === 'soft') return { ...before, validUntil: this.#now() + Math.min(maxAgeMs, softPassFor) };
    return { verdict: status === 'unknown' ? unknown : unavailable(detail), chain: [] };
  }
}

const revoked: VerdictFailed = Object.freeze({
  status: 'failed',
  reason: 'revoked',
  detail: 'certificate revoked, by its OCSP responder',
  untrustedOnly: false,
});

const unknown: VerdictFailed = Object.freeze({
  status: 'failed',
  reason: 'ocsp_unknown',
  detail: 'its OCSP responder does not know the certificate',
  untrustedOnly: false,
});

function unavailable(detail: string | null): VerdictFailed {
  return {
    status: 'failed',
    reason: 'ocsp_unavailable',
    detail: `no OCSP answer: ${detail ?? 'no reason is known'}`,
    untrustedOnly: false,
  };
}
