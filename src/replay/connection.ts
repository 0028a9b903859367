import type { Connection, Judged } from '../snapshot/connection.ts';
import { answers, type VerificationReason } from '../snapshot/reason.ts';
import { hostOfServerName } from '../snapshot/server-name.ts';
import type { Snapshot, Trust } from '../snapshot/snapshot.ts';
import { issuersIn } from '../tls/crl-file.ts';
import { none, success, type Verdict, type VerdictFailed } from '../tls/verdict.ts';
import type { Recorded, RequestLine } from './recorded.ts';

/** What is supposed of a certificate where the log does not tell. */
export type Assumption =
  | 'clients send the intermediates of their chain: the log does not say whether they did'
  | 'a certificate that no trust store took is taken by none now: the log does not hold its chain';

export interface ReplayedConnection {
  readonly connection: Connection;
  readonly assumed: Assumption | null;
}

type Store = RequestLine['connection']['stores'][number];

/** Makes the connections that clients of yesterday would have under a snapshot. Pure, but for reading CAs once. */
export class Connections {
  readonly #snapshot: Snapshot;
  /** By `Trust.key`: the first digits of the CAs' keys. */
  readonly #authorities = new Map<string, ReadonlySet<string>>();

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot;
  }

  /** Null: the handshake would be refused for its server name. */
  of({ line, identity }: Recorded): ReplayedConnection | null {
    const { connection: seen } = line;
    const isTls = seen.listener === 'https';
    const found = isTls ? hostOfServerName(this.#snapshot, seen.server_name) : null;
    if (found !== null && 'refused' in found) return null;
    let assumed: Assumption | null = null;
    const judged = new Map<string, Judged>();
    for (const trust of found?.host.clientAuth.stores ?? []) {
      const one = this.#verdict(trust, seen.stores, identity !== null);
      assumed ??= one.assumed;
      judged.set(trust.key, { verdict: one.verdict, chain: [] });
    }
    return {
      assumed,
      connection: {
        listener: seen.listener,
        remoteAddress: seen.remote_address,
        remotePort: seen.remote_port,
        localPort: seen.local_port,
        serverName: seen.server_name,
        hostId: found?.host.id ?? null,
        serverNameMatched: found?.matched ?? false,
        trustKey: found?.host.clientAuth.key ?? null,
        judged,
        identity,
        tlsVersion: isTls ? 'TLSv1.3' : null,
        cipher: null,
        resumed: false,
      },
    };
  }

  /** By a store of the same key what that said; by another, whether the chain that was proven leads there. */
  #verdict(
    trust: Trust,
    stores: readonly Store[],
    hasCertificate: boolean,
  ): { readonly verdict: Verdict; readonly assumed: Assumption | null } {
    const same = stores.find(({ store }) => store === trust.key.slice(0, 16));
    if (same !== undefined) return { verdict: verdictCalled(same.verdict), assumed: null };
    if (!hasCertificate) return { verdict: none, assumed: null };
    const proven = stores.find(({ verdict, issuers }) => verdict === 'success' && issuers.length > 0);
    if (proven === undefined) {
      const failed = stores.find(({ verdict }) => verdict !== 'success' && verdict !== 'none');
      return {
        verdict: verdictCalled(failed?.verdict ?? 'untrusted'),
        assumed:
          'a certificate that no trust store took is taken by none now: the log does not hold its chain',
      };
    }
    const { issuers } = proven;
    const authorities = this.#authoritiesOf(trust);
    if (!authorities.has(issuers.at(-1)!)) return { verdict: verdictCalled('untrusted'), assumed: null };
    if (issuers.length - 1 > trust.verifyDepth) {
      return { verdict: verdictCalled('chain_too_long'), assumed: null };
    }
    const whole = issuers.every((key) => authorities.has(key));
    return {
      verdict: success,
      assumed: whole
        ? null
        : 'clients send the intermediates of their chain: the log does not say whether they did',
    };
  }

  #authoritiesOf({ key, ca }: Trust): ReadonlySet<string> {
    let known = this.#authorities.get(key);
    if (known === undefined) {
      known = new Set(issuersIn(ca).map((issuer) => issuer.key.slice(0, 16)));
      this.#authorities.set(key, known);
    }
    return known;
  }
}

/** Failures that `optional_no_ca` lets pass. */
const untrustedOnly: ReadonlySet<string> = new Set(['untrusted', 'self_signed']);

/** What is no reason of ours fails. */
function verdictCalled(name: string): Verdict {
  if (name === 'success') return success;
  if (name === 'none') return none;
  const reason = (Object.hasOwn(answers, name) ? name : 'other') as VerificationReason;
  return {
    status: 'failed',
    reason,
    detail: name,
    untrustedOnly: untrustedOnly.has(name),
  } satisfies VerdictFailed;
}
