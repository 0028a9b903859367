import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { compileDenyList } from '../policy/deny-list.ts';
import type { Material } from '../snapshot/compile.ts';
import { adminHostOf, adminPath } from './admin-host.ts';
import { CheckMemory } from './check-memory.ts';
import { type FileReference, fileReferences } from './file-references.ts';
import { foreignCrls, unreadableCrls } from './fit-crls.ts';
import { readHtpasswd } from './htpasswd.ts';
import { blocksFor, isPemRole } from './pem.ts';
import { error, type Finding, pointer } from './problem.ts';
import type { Config } from './schema.ts';
import { ordinal, quote } from './text.ts';
import { readTokens } from './tokens.ts';
import { finish, type Steps } from '../steps.ts';

/**
 * What keeps files that were read from being served with: a block that does not parse, a key of another certificate, a
 * trust store of certificates that are no CAs. OpenSSL itself skips or ignores some of it in silence (a `ca` that
 * does not parse leaves Node without a word, and with an empty store), hence block by block.
 *
 * Files missing from the material are passed over: they have been told of. No clock is read: see check.ts for dates.
 */
export function checkFit(config: Config, material: Material): Finding[] {
  return finish(fitSteps(config, material, fileReferences(config), new CheckMemory()));
}

/** `checkFit`, step by step. What is in the memory is not parsed again. */
export function* fitSteps(
  config: Config,
  material: Material,
  references: readonly FileReference[],
  memory: CheckMemory,
): Steps<Finding[]> {
  const findings: Finding[] = [];
  for (const reference of references) {
    const { file, role, path } = reference;
    const contents = material.get(file);
    if (contents === undefined) continue;
    // What is wrong is told with the place of each that names it; that nothing is, holds for all.
    const kind = `parses as ${role} ${path.startsWith('/upstreams/') ? 'of an upstream' : ''}`;
    let found: Finding[] | null = null;
    const fine = memory.about(
      kind,
      [contents],
      () => (found = parseFindings(reference, material)).length === 0,
    );
    if (!fine) findings.push(...(found ?? parseFindings(reference, material)));
    yield;
  }
  for (const pair of pairsOf(config)) {
    const cert = material.get(pair.cert ?? '');
    const key = material.get(pair.key ?? '');
    if (cert === undefined || key === undefined) continue;
    let found: Finding[] | null = null;
    const fine = memory.about(
      'pair',
      [cert, key],
      () => (found = pairFindings(pair, cert, key)).length === 0,
    );
    if (!fine) findings.push(...(found ?? pairFindings(pair, cert, key)));
    yield;
  }
  const admin = adminHostOf(config);
  if (admin !== null) findings.push(...foreignCrls(admin, adminPath, material, memory));
  for (const [index, host] of config.hosts.entries()) {
    findings.push(...foreignCrls(host, pointer('hosts', index), material, memory));
    yield;
  }
  return findings;
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
  if (role === 'tokens') {
    return readTokens(contents).problems.map((problem) => error(path, `${quote(file)}: ${problem}`));
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
  if (role === 'crl') return unreadableCrls(path, file, contents);
  return blocksFor(role, contents).flatMap((block, index) => {
    const where = (noun: string): string => `the ${ordinal(index + 1)} ${noun} in ${quote(file)}`;
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
  // Undefined where it is empty, whatever the types say.
  const subject = certificate.subject as string | undefined;
  return quote((subject ?? '').split('\n').reverse().join(', '));
}

function parseKey(contents: string): { readonly key: KeyObject } | { readonly fault: string } {
  const [block = ''] = blocksFor('key', contents);
  try {
    return { key: createPrivateKey(block) };
  } catch (fault) {
    return { fault: opensslReason(fault) };
  }
}

/** A certificate and the key that must belong to it, and where they are named. */
interface Pair {
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly path: string;
}

function* pairsOf(config: Config): Generator<Pair> {
  const admin = adminHostOf(config);
  if (admin !== null) yield { ...admin.certificate, path: `${adminPath}/certificate` };
  for (const [index, { certificate }] of config.hosts.entries()) {
    yield { ...certificate, path: pointer('hosts', index, 'certificate') };
  }
  for (const [name, { tls }] of Object.entries(config.upstreams)) {
    if (tls !== undefined) yield { cert: tls.cert, key: tls.key, path: pointer('upstreams', name, 'tls') };
  }
}

function pairFindings({ cert, key, path }: Pair, certificatePem: string, keyPem: string): Finding[] {
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
