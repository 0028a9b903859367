/** One attribute of a name: its type as a dotted OID and its value. */
export interface Attribute {
  readonly oid: string;
  /**
   * The value decoded to a string. Never parsed again: `,`, `=`, newlines and NULs in it are data.
   * Where the value is no text at all (`isText` in distinguished-name.ts), `#` and its DER in hex.
   */
  readonly value: string;
  /** Universal tag of the value's type (X.680); absent: UTF8String. */
  readonly tag?: number;
}

/** Attributes that stand together (`+` in RFC 2253); nearly always one. */
export type RelativeDistinguishedName = readonly Attribute[];

/** A name in the order of the certificate (most general first, as encoded). */
export type DistinguishedName = readonly RelativeDistinguishedName[];

/** Subject alternative names by their type, so that a URI can never pass for a DNS name. */
export interface SubjectAltNames {
  readonly dns: readonly string[];
  readonly uri: readonly string[];
  readonly email: readonly string[];
  /** Canonical text of the address: dotted IPv4, RFC 5952 IPv6. */
  readonly ip: readonly string[];
}

/** The facts of a certificate, read from its DER once. Frozen. */
export interface Identity {
  readonly subject: DistinguishedName;
  readonly issuer: DistinguishedName;
  /** RFC 2253 text, byte for byte what `openssl x509 -nameopt RFC2253` prints. */
  readonly subjectText: string;
  readonly issuerText: string;
  readonly san: SubjectAltNames;
  /** Upper-case hex, as `openssl x509 -serial` prints it (no leading zero byte; `-` before a negative one). */
  readonly serial: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Lower-case hex of the digest over the DER, without colons. */
  readonly sha256: string;
  readonly sha1: string;
  /** Lower-case hex SHA-256 over the SubjectPublicKeyInfo. */
  readonly spki: string;
  /** Dotted OID or a well-known name: `rsaEncryption`, `id-ecPublicKey`, `ed25519`. */
  readonly keyAlgorithm: string;
  readonly signatureAlgorithm: string;
  readonly der: Uint8Array;
}
