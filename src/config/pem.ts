/** One `-----BEGIN …-----` to `-----END …-----` (RFC 7468). */
export interface PemBlock {
  readonly label: string;
  /** From the BEGIN line to the END line. */
  readonly text: string;
}

/** A file's blocks in order, and whether a BEGIN line is left without its END: a file half written. */
export interface PemFile {
  readonly blocks: readonly PemBlock[];
  readonly isCut: boolean;
}

/** Reads the blocks of a PEM file. What stands between them is commentary. Linear in the text. */
export function readPem(text: string): PemFile {
  const blocks: PemBlock[] = [];
  let open: { label: string; start: number } | null = null;
  let isCut = false;
  for (const match of text.matchAll(/-----(BEGIN|END) ([A-Z0-9 ]{1,40})-----/g)) {
    const [line, kind, label = ''] = match;
    if (kind === 'BEGIN') {
      if (open !== null) isCut = true;
      open = { label, start: match.index };
    } else if (open?.label === label) {
      blocks.push({ label, text: `${text.slice(open.start, match.index + line.length)}\n` });
      open = null;
    } else {
      isCut = true;
      open = null;
    }
  }
  return { blocks, isCut: isCut || open !== null };
}

/** What a PEM file is named for in the configuration. */
export type PemRole = 'certificate' | 'key' | 'ca' | 'crl';

/** What a file is named for; `users` are htpasswd files, `denyList` is YAML, `ocspResponse` DER, `tokens` of the admin listener. */
export type FileRole = PemRole | 'users' | 'denyList' | 'ocspResponse' | 'tokens';

export function isPemRole(role: FileRole): role is PemRole {
  return Object.hasOwn(labels, role);
}

const labels: Readonly<Record<PemRole, RegExp>> = {
  certificate: /^(?:X509 )?CERTIFICATE$/,
  key: /^(?:RSA |EC )?PRIVATE KEY$/,
  ca: /^(?:X509 )?CERTIFICATE$/,
  crl: /^X509 CRL$/,
};

/** The blocks that count for a role, in order. */
export function blocksFor(role: PemRole, text: string): string[] {
  return readPem(text)
    .blocks.filter(({ label }) => labels[role].test(label))
    .map((block) => block.text);
}

const nouns: Readonly<Record<PemRole, string>> = {
  certificate: 'certificate',
  key: 'private key',
  ca: 'CA certificate',
  crl: 'CRL',
};

/** The openssl command that makes PEM of the DER of a role. */
const conversions: Readonly<Record<PemRole, string>> = {
  certificate: 'openssl x509 -inform der -in FILE -out FILE.pem',
  key: 'openssl pkey -inform der -in FILE -out FILE.pem',
  ca: 'openssl x509 -inform der -in FILE -out FILE.pem',
  crl: 'openssl crl -inform der -in FILE -out FILE.pem',
};

/** CRLs are handed out in DER (RFC 5280 §4.2.1.13): such a file as PEM. Any other as it is. */
export function pemOfCrl(contents: Buffer): Buffer {
  if (contents[0] !== 0x30 || (contents[1] ?? 0) < 0x80) return contents;
  const lines = (contents.toString('base64').match(/.{1,64}/g) ?? []).join('\n');
  return Buffer.from(`-----BEGIN X509 CRL-----\n${lines}\n-----END X509 CRL-----\n`);
}

/** What keeps a file's contents from serving a role, and what to do about it; null where they can. */
export function pemFault(role: PemRole, contents: Uint8Array): string | null {
  // SEQUENCE with a length of two or more octets: every certificate, key and CRL in DER starts so.
  if (contents[0] === 0x30 && (contents[1] ?? 0) >= 0x80) {
    return `is DER or PKCS#12, not PEM: convert it, for DER with \`${conversions[role]}\``;
  }
  const { blocks, isCut } = readPem(Buffer.from(contents).toString('latin1'));
  if (isCut) return 'is cut off or damaged: a BEGIN line has no END line';
  if (blocks.length === 0) return `is not PEM: it has no BEGIN line. A ${nouns[role]} is wanted`;
  const fitting = blocks.filter(({ label }) => labels[role].test(label));
  if (role === 'key') {
    if (
      blocks.some(
        ({ label, text }) => label === 'ENCRYPTED PRIVATE KEY' || /^Proc-Type:.*ENCRYPTED/m.test(text),
      )
    ) {
      return 'holds an encrypted private key, and nobody to type its password: decrypt it with `openssl pkey -in FILE -out FILE`, readable by this program only';
    }
    if (fitting.length > 1)
      return `holds ${fitting.length} private keys: keep the one that belongs to the certificate`;
  }
  if (fitting.length === 0) {
    const found = [...new Set(blocks.map(({ label }) => label))].slice(0, 5).join(', ');
    return `holds no ${nouns[role]}, only ${found}`;
  }
  return null;
}
