import type { Identity } from '../../../tls/identity.ts';
import type { Verdict } from '../../../tls/verdict.ts';

/** What an upstream may be told about the client of a connection. */
export interface Proof {
  readonly verdict: Verdict;
  /** The certificate's facts: proven where the verdict is `success`, else only claimed. */
  readonly identity: Identity | null;
  /** Send the certificate itself as well, where the dialect leaves the choice. */
  readonly certificate: boolean;
}

/**
 * Writes the headers of one dialect: name, value, …, all values printable ASCII. Whatever the certificate
 * holds, a reader of the dialect's syntax must find exactly the values that are in it.
 */
export type WriteDialect = (proof: Proof) => readonly string[];

/** The identity, if it is proven: a peer certificate is present and the verdict says so (rule 2). */
export function provenIdentity({ verdict, identity }: Proof): Identity | null {
  return verdict.status === 'success' ? identity : null;
}
