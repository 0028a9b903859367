import { shorten } from '../../observe/shorten.ts';
import { issuersIn } from '../../tls/crl-file.ts';
import {
  judgeRevocation,
  listsOf,
  type RevocableCertificate,
  type Revocation,
} from '../../tls/revocation.ts';
import { failureInFull, type Verdict } from '../../tls/verdict.ts';
import type { Connection } from '../connection.ts';
import type { Trust } from '../snapshot.ts';

/** What one trust store says of a connection's certificate. */
export interface ExplainedTrust {
  /** The first digits of its key: tells two stores apart. */
  readonly store: string;
  /** The subjects of its CAs, the first of them. */
  readonly authorities: readonly string[];
  readonly moreAuthorities: number;
  /** What verification said at the handshake; null: the connection was not verified against this store. */
  readonly verdict: ExplainedVerdict | null;
  /** The proven chain, the client's certificate first: who issued each. The last issuer is the CA that was hit. */
  readonly chain: readonly { readonly serial: string; readonly issuer: string }[];
  /** Null: the store has no CRLs. */
  readonly revocation: ExplainedRevocation | null;
}

export interface ExplainedVerdict {
  readonly status: Verdict['status'];
  readonly reason: string | null;
  /** OpenSSL's words, or ours where the verdict is. */
  readonly detail: string | null;
}

export interface ExplainedRevocation {
  readonly check: 'leaf' | 'chain';
  readonly stale: string;
  readonly missing: string;
  /** For each certificate that is asked about. */
  readonly certificates: readonly ExplainedCrl[];
}

export interface ExplainedCrl {
  readonly serial: string;
  readonly issuer: string;
  /** `stale`: past its next update, and gone by as configured. */
  readonly state: 'good' | 'stale' | 'revoked' | 'crl_expired' | 'crl_missing';
  readonly detail: string | null;
  /** The CRL that counts; null: there is none, or none that has begun. Times in ISO 8601. */
  readonly crl: {
    readonly thisUpdate: string;
    readonly nextUpdate: string | null;
    readonly entries: number;
  } | null;
}

const shownAuthorities = 10;

/** @param now Milliseconds since 1970. */
export function explainTrust(trust: Trust, connection: Connection, now: number): ExplainedTrust {
  const judged = connection.judged.get(trust.key);
  const chain = judged?.chain ?? [];
  const authorities = issuersIn(trust.ca).map(({ subject }) => shorten(subject, 256));
  return {
    store: trust.key.slice(0, 16),
    authorities: authorities.slice(0, shownAuthorities),
    moreAuthorities: Math.max(0, authorities.length - shownAuthorities),
    verdict: judged === undefined ? null : explainVerdict(judged.verdict),
    chain: chain.map(({ serial, issuer }) => ({ serial, issuer: shorten(issuer.subject, 256) })),
    revocation: trust.revocation === null ? null : explainRevocation(trust.revocation, chain, now),
  };
}

export function explainVerdict(verdict: Verdict): ExplainedVerdict {
  if (verdict.status !== 'failed') return { status: verdict.status, reason: null, detail: null };
  return { status: 'failed', reason: verdict.reason, detail: shorten(failureInFull(verdict), 512) };
}

function explainRevocation(
  revocation: Revocation,
  chain: readonly RevocableCertificate[],
  now: number,
): ExplainedRevocation {
  const { check, stale, missing } = revocation;
  const asked = check === 'leaf' ? chain.slice(0, 1) : chain;
  return {
    check,
    stale,
    missing,
    certificates: asked.map((certificate) => explainOne(revocation, certificate, now)),
  };
}

function explainOne(revocation: Revocation, certificate: RevocableCertificate, now: number): ExplainedCrl {
  const answer = judgeRevocation({ ...revocation, check: 'leaf' }, [certificate], now);
  const list = listsOf(revocation, certificate).find(({ thisUpdate }) => thisUpdate <= now);
  const detail = answer.revoked ? `${answer.detail}: ${answer.about}` : answer.stale;
  return {
    serial: certificate.serial,
    issuer: shorten(certificate.issuer.subject, 256),
    state: answer.revoked ? answer.reason : answer.stale === null ? 'good' : 'stale',
    detail: detail === null ? null : shorten(detail, 512),
    crl:
      list === undefined
        ? null
        : {
            thisUpdate: isoTime(list.thisUpdate),
            nextUpdate: list.nextUpdate === null ? null : isoTime(list.nextUpdate),
            entries: list.entries,
          },
  };
}

/** ISO 8601 in UTC; a date past what JavaScript can say is told as such. */
export function isoTime(time: number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? 'beyond all dates' : date.toISOString();
}
