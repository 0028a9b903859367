import type { CertificateReport } from './describe.ts';

export interface CsrReport {
  readonly kind: 'csr';
  readonly subject: string;
  readonly altNames: readonly string[];
  readonly key: string;
  readonly signature: string;
  /** Signed with its own key. */
  readonly signatureValid: boolean;
}

export interface CrlReport {
  readonly kind: 'crl';
  readonly issuer: string;
  readonly number: string | null;
  readonly thisUpdate: string;
  readonly nextUpdate: string | null;
  /** Whole days until nextUpdate; null without one. */
  readonly daysLeft: number | null;
  readonly entries: number;
  /** The first of them. */
  readonly revoked: readonly {
    readonly serial: string;
    readonly at: string;
    readonly reason: string | null;
  }[];
  readonly signature: string;
  /** null: it could not be checked, for the reason that `signatureNote` says. */
  readonly signatureValid: boolean | null;
  readonly signatureNote: string | null;
  /** OIDs of critical extensions: the list may leave somebody out, and is not to be relied on. */
  readonly unknownCritical: readonly string[];
}

export interface KeyReport {
  readonly kind: 'private key';
  /** null: encrypted, or not readable. */
  readonly key: string | null;
  readonly encrypted: boolean;
  /** SHA-256 of its SubjectPublicKeyInfo: the `spki` of the certificate it belongs to. */
  readonly spki: string | null;
}

export interface Pkcs12Report {
  readonly kind: 'pkcs12';
  readonly friendlyNames: readonly string[];
  readonly protection: readonly string[];
  readonly mac: string | null;
  readonly keys: readonly KeyReport[];
  readonly certificates: number;
}

export interface OtherReport {
  readonly kind: 'other';
  readonly label: string;
  readonly problem: string;
}

export type Report = { readonly file: string } & (
  CertificateReport | CsrReport | CrlReport | KeyReport | Pkcs12Report | OtherReport
);

export interface Inspection {
  readonly reports: readonly Report[];
  /** Who issued whom among all certificates that could be read. */
  readonly chain: {
    /** Names in the order of `parents`. */
    readonly subjects: readonly string[];
    readonly parents: readonly (number | null)[];
    readonly missing: readonly { readonly issuer: string; readonly issued: readonly string[] }[];
  };
}
