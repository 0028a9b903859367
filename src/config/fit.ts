import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { compileDenyList } from '../policy/deny-list.ts';
import type { Material } from '../snapshot/compile.ts';
import { type FileReference, fileReferences } from './file-references.ts';
import { readHtpasswd } from './htpasswd.ts';
import { blocksFor, isPemRole } from './pem.ts';
import { error, type Finding, pointer } from './problem.ts';
import type { Config } from './schema.ts';
import { ordinal, quote } from './text.ts';

/**
 * What keeps files that were read from being served with: a block that does not parse, a key of another certificate, a
 * trust store of certificates that are no CAs. OpenSSL itself skips or ignores some of it in silence (a `ca` that
 * does not parse leaves Node without a word, and with an empty store), hence block by block.
 *
 * Files missing from the material are passed over: they have been told of. No clock is read: see check.ts for dates.
 */
export function checkFit(config: Config, material: Material): Finding[] {
  return [
    ...fileReferences(config).flatMap((reference) => parseFindings(reference, material)),
    ...pairFindings(config, material),
  ];
}

/** The certificates of a file in their order; those that do not parse are left out. */
export function certificatesOf(pem: string): X509Certificate[] {
  return blocksFor('certificate', pem).flatMap((block) => {
    const certificate = parseCertificate(block);
    return certificate instanceof X509Certificate ? [certificate] : [];
  });
}

function parseCertificate(block: string): X509Certificate | { readonly fault: string } {
  try {
    return new X509Certificate(block);
  } catch (fault) {
    return { fault: opensslReason(fault) };
  }
}

function parseFindings({ path, file, role }: FileReference, material: Material): Finding[] {
  const contents = material.get(file);
  if (contents === undefined) return [];
  if (role === 'denyList') {
    const compiled = compileDenyList(file, Buffer.from(contents, 'latin1').toString('utf8'));
    return 'problems' in compiled ? compiled.problems.map((problem) => error(path, problem)) : [];
  }
  // What is not fit to be stapled is told when it would be, and serving goes on without.
  if (role === 'ocspResponse') return [];
  if (!isPemRole(role)) {
    return readHtpasswd(contents).problems.map((problem) => error(path, `${quote(file)}: ${problem}`));
  }
  if (role === 'key') {
    const key = parseKey(contents);
    return 'fault' in key
      ? [error(path, `the private key in ${quote(file)} cannot be read: ${key.fault}`)]
      : [];
  }
  return blocksFor(role, contents).flatMap((block, index) => {
    const where = (noun: string): string => `the ${ordinal(index + 1)} ${noun} in ${quote(file)}`;
    if (role === 'crl') {
      const fault = crlFault(block);
      return fault === null ? [] : [error(path, `${where('CRL')} cannot be read: ${fault}`)];
    }
    const certificate = parseCertificate(block);
    if ('fault' in certificate)
      return [error(path, `${where('certificate')} cannot be read: ${certificate.fault}`)];
    if (role !== 'ca' || certificate.ca || isPinned(certificate, path)) return [];
    return [
      error(
        path,
        `${where('certificate')} (${subjectOf(certificate)}) is no CA (basicConstraints CA:TRUE): take it out, or put the CA that issued it here`,
      ),
    ];
  });
}

/** A backend's own self-signed certificate is trusted for itself alone. */
function isPinned(certificate: X509Certificate, path: string): boolean {
  return path.startsWith('/upstreams/') && certificate.checkIssued(certificate);
}

/** The subject on one line, for a message. */
export function subjectOf(certificate: X509Certificate): string {
  return quote(certificate.subject.split('\n').reverse().join(', '));
}

function crlFault(block: string): string | null {
  try {
    createSecureContext({ crl: block });
    return null;
  } catch (fault) {
    return opensslReason(fault);
  }
}

function parseKey(contents: string): { readonly key: KeyObject } | { readonly fault: string } {
  const [block = ''] = blocksFor('key', contents);
  try {
    return { key: createPrivateKey(block) };
  } catch (fault) {
    return { fault: opensslReason(fault) };
  }
}

function pairFindings(config: Config, material: Material): Finding[] {
  const pairs = [
    ...config.hosts.map(({ certificate }, index) => ({
      ...certificate,
      path: pointer('hosts', index, 'certificate'),
    })),
    ...Object.entries(config.upstreams).map(([name, { tls }]) => ({
      cert: tls?.cert,
      key: tls?.key,
      path: pointer('upstreams', name, 'tls'),
    })),
  ];
  return pairs.flatMap(({ cert, key, path }) => {
    const certificatePem = material.get(cert ?? '');
    const keyPem = material.get(key ?? '');
    if (certificatePem === undefined || keyPem === undefined) return [];
    const parsed = parseKey(keyPem);
    const [leaf, ...chain] = certificatesOf(certificatePem);
    if (leaf === undefined || 'fault' in parsed) return [];
    if (!leaf.checkPrivateKey(parsed.key)) {
      const other = chain.findIndex((certificate) => certificate.checkPrivateKey(parsed.key));
      const advice =
        other === -1
          ? 'their public keys differ'
          : `it belongs to the ${ordinal(other + 2)} one in there: the host's own certificate comes first`;
      return [
        error(`${path}/key`, `${quote(key)} does not belong to the certificate in ${quote(cert)}: ${advice}`),
      ];
    }
    const fault = contextFault(certificatePem, keyPem);
    return fault === null
      ? []
      : [error(`${path}/cert`, `TLS refuses ${quote(cert)} with ${quote(key)}: ${fault}`)];
  });
}

/** OpenSSL's security level turns short keys and old digests away; better now than at the first handshake. */
function contextFault(cert: string, key: string): string | null {
  try {
    createSecureContext({ cert, key });
    return null;
  } catch (fault) {
    return opensslReason(fault);
  }
}

/** OpenSSL's own words, without its function names and error numbers. */
function opensslReason(fault: unknown): string {
  const { reason, message } = fault as { reason?: unknown; message?: unknown };
  if (typeof reason === 'string') return reason;
  return String(message ?? fault).replace(/^error:[0-9A-F]*:[^:]*:[^:]*:/i, '');
}
