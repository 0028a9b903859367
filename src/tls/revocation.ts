import type { CrlIssuer } from './crl-issuer.ts';
import { RevocationList } from './revocation-list.ts';

/** How a trust store asks whether a certificate was revoked. Frozen. */
export interface Revocation {
  /** The client's certificate alone, or each one of its chain but for the anchor. */
  readonly check: 'leaf' | 'chain';
  /** What a CRL past its nextUpdate does: refuse as nginx does, serve for `graceMs`, or serve and tell. */
  readonly stale: 'deny' | 'allow' | 'report';
  /** For how long past nextUpdate `allow` holds. */
  readonly graceMs: number;
  /** What a CA without CRL does. */
  readonly missing: 'deny' | 'allow';
  /** By `RevocationList.issuer`; of one name the newest first. */
  readonly lists: ReadonlyMap<string, readonly RevocationList[]>;
}

/** One certificate of a proven chain: what tells whether it was revoked. */
export interface RevocableCertificate {
  /** Hex, upper case; `-` before a negative one. */
  readonly serial: string;
  /** It is a CA itself. */
  readonly isCa: boolean;
  /** The CA whose key signed it. */
  readonly issuer: CrlIssuer;
}

/** `stale`: a CRL past its nextUpdate was gone by, as configured; null where all were current. */
export type RevocationAnswer =
  | { readonly revoked: false; readonly stale: string | null }
  | {
      readonly revoked: true;
      readonly reason: 'revoked' | 'crl_expired' | 'crl_missing';
      /** OpenSSL's words. */
      readonly detail: string;
      /** Which certificate, or of which CA. For the operator alone. */
      readonly about: string;
    };

/**
 * Whether a proven chain may be trusted still. Pure, and called per request: a CRL that was loaded after the
 * handshake counts from the next request on. A chain that is not known is refused.
 *
 * @param chain The client's certificate first; the anchor is not in it.
 * @param now Milliseconds since 1970.
 */
export function judgeRevocation(
  revocation: Revocation,
  chain: readonly RevocableCertificate[],
  now: number,
): RevocationAnswer {
  if (chain.length === 0)
    return refused('crl_missing', 'unable to get certificate CRL', 'no chain was proven');
  let stale: string | null = null;
  let first: RevocationAnswer | null = null;
  for (const certificate of revocation.check === 'leaf' ? chain.slice(0, 1) : chain) {
    const answer = judgeOne(revocation, certificate, now);
    // That it was revoked is worse than that nobody knows, wherever in the chain it stands.
    if (answer.revoked && answer.reason === 'revoked') return answer;
    if (answer.revoked) first ??= answer;
    else stale ??= answer.stale;
  }
  return first ?? { revoked: false, stale };
}

/** The CRLs that speak of a certificate, the newest first; the first one that has begun is the one that counts. */
export function listsOf(
  { lists }: Pick<Revocation, 'lists'>,
  { issuer, isCa }: RevocableCertificate,
): readonly RevocationList[] {
  return (lists.get(issuer.name) ?? []).filter((list) => list.covers(isCa) && list.isOf(issuer));
}

function judgeOne(revocation: Revocation, certificate: RevocableCertificate, now: number): RevocationAnswer {
  const { issuer, serial } = certificate;
  const lists = listsOf(revocation, certificate);
  const list = lists.find(({ thisUpdate }) => thisUpdate <= now);
  if (list === undefined) {
    // What is announced for later revokes already: there is nothing else to go by.
    if (lists.some((later) => later.has(serial))) return revoked(certificate);
    if (revocation.missing === 'allow') return { revoked: false, stale: null };
    const what = lists.length === 0 ? 'unable to get certificate CRL' : 'CRL is not yet valid';
    return refused('crl_missing', what, `of ${issuer.subject}`);
  }
  if (list.has(serial)) return revoked(certificate);
  const { nextUpdate } = list;
  if (nextUpdate === null || now <= nextUpdate) return { revoked: false, stale: null };
  const [detail, about] = ['CRL has expired', `of ${issuer.subject}`];
  const gone = { revoked: false, stale: `${detail}: ${about}` } as const;
  switch (revocation.stale) {
    case 'report':
      return gone;
    case 'allow':
      return now - nextUpdate <= revocation.graceMs ? gone : refused('crl_expired', detail, about);
    case 'deny':
      return refused('crl_expired', detail, about);
  }
}

function revoked({ serial, issuer }: RevocableCertificate): RevocationAnswer {
  return refused('revoked', 'certificate revoked', `serial number ${serial} of ${issuer.subject}`);
}

function refused(
  reason: 'revoked' | 'crl_expired' | 'crl_missing',
  detail: string,
  about: string,
): RevocationAnswer {
  return { revoked: true, reason, detail, about };
}

/** CRLs by their issuers' names, the newest first: by thisUpdate, then by number (RFC 5280 §5.2.3). */
export function indexLists(lists: readonly RevocationList[]): ReadonlyMap<string, readonly RevocationList[]> {
  const newestFirst = lists.toSorted(
    (one, two) =>
      two.thisUpdate - one.thisUpdate || Number(two.number > one.number) - Number(two.number < one.number),
  );
  return Map.groupBy(newestFirst, ({ issuer }) => issuer);
}
