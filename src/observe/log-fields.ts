import type { UpstreamRecord } from '../proxy/upstream/outbound.ts';
import { overallVerdict, type Connection } from '../snapshot/connection.ts';
import type { Identity } from '../tls/identity.ts';
import type { HandshakeEvent, ReloadEvent, RequestEvent, UpstreamEvent } from './observer.ts';
import { shorten } from './shorten.ts';

/**
 * The lines of the log: one JSON object each, with `level`, `time` (ISO 8601, UTC, milliseconds) and a `kind`.
 * Text that came from outside is shortened to the length in brackets (in UTF-16 units, `…` at the end of what
 * was cut). Unknown is null. Durations end in `_ms`, dates are ISO 8601.
 *
 * | field | of | meaning |
 * |---|---|---|
 * | `kind` | all | `request`, `handshake`, `upstream`, `reload` or `program` |
 * | `connection.listener` | request, handshake | `https` or `http` |
 * | `connection.remote_address`, `.remote_port` | request, handshake | the client's |
 * | `connection.local_port` | request | the one it connected to |
 * | `connection.server_name` | request, handshake | SNI [256] |
 * | `connection.tls` | request, handshake | `version`, `cipher`, `resumed`; null without TLS |
 * | `connection.host` | request, handshake | id of the host whose TLS settings the handshake ran under |
 * | `connection.verdict` | request | `status` (`success`, `none`, `failed`), `reason`, `detail` [512] at the handshake, of several trust stores the best; a revocation is in `request.decision` |
 * | `connection.identity` | request, handshake | null without a certificate. Proven only with the verdict `success`: |
 * | `….subject`, `.issuer` | | RFC 2253 [1024] |
 * | `….serial`, `.fingerprint` | | hex; the fingerprint is SHA-256 over the DER |
 * | `….not_after` | | when the certificate expires |
 * | `….not_before`, `.spki`, `.sha1` | request | hex: SHA-256 over the public key, SHA-1 over the certificate |
 * | `….names` | request | SANs: `dns`, `uri`, `email`, `ip`, the first 32 of each [256]; `names_cut`: there are more |
 * | `connection.stores` | request | for each trust store: the first 16 digits of its key and of the keys of the proven chain's issuers, and `success`, `none` or the reason |
 * | `request.id` | request | the one in `X-Request-ID` and on error pages [128] |
 * | `request.method` | request | [32] |
 * | `request.authority` | request | Host header [260] |
 * | `request.target` | request | path and query as sent [4096] |
 * | `request.user_agent` | request | [256] |
 * | `request.host`, `.route` | request | ids of what the request was for |
 * | `request.action` | request | the Decision: `forward` or `respond` |
 * | `request.decision` | request | the Decision's reason; `ok` for `forward` |
 * | `request.reason` | request | what came of it: `ok`, a reason of a refusal or of the upstream, `client_abort`, … |
 * | `request.would_deny` | request | served in spite of this, because the check only reports: `check`, `reason`, `status`, `detail` [1024]; else null |
 * | `request.detail` | request | for the operator only [1024] |
 * | `request.status` | request | sent to the client; 0 if it left before |
 * | `request.bytes_received`, `.bytes_sent` | request | of the bodies |
 * | `request.duration_ms` | request | |
 * | `request.upgrade` | request | true for a tunnel |
 * | `request.upstream` | request | null, or `name`, `endpoint`, `tries`, `status`, `head_ms` |
 * | `handshake.result`, `.reason`, `.detail` [1024], `.duration_ms` | handshake | of a failed one |
 * | `handshake.offer` | handshake | what the client offered; null where no ClientHello was read: |
 * | `….versions`, `.alpn`, `.signature_algorithms` | | in its order, the first 32 [64 each]; what has no TLS version's name is hex |
 * | `….ja4` | | fingerprint of the client's software; anyone can imitate another's |
 * | `handshake.omitted` | handshake | of an overload: lines left out before this one, of which ten a second are written |
 * | `upstream.event` | upstream | `retry`, `ejected`, `readmitted`, `healthy`, `unhealthy` |
 * | `upstream.name`, `.endpoint`, `.detail` [512], `.for_ms` | upstream | |
 * | `reload.result`, `.version`, `.problems` (at most 20, [512] each) | reload | |
 * | `message` | program | what happened, in words |
 *
 * Each group is one object because that is what pino prints quickly: 0.8 µs for a line where the same fields
 * at the top take 2.1 µs (Node 26).
 */

const milliseconds = (value: number): number => Math.round(value * 1000) / 1000;

const text = (value: string | null, length: number): string | null =>
  value === null ? null : shorten(value, length);

/** Fixed for the life of a connection: printed once, and put into the line of each of its requests. */
export function connectionFields(connection: Connection): Record<string, unknown> {
  const verdict = overallVerdict(connection);
  return {
    connection: {
      listener: connection.listener,
      remote_address: shorten(connection.remoteAddress, 64),
      remote_port: connection.remotePort,
      local_port: connection.localPort,
      server_name: text(connection.serverName, 256),
      host: connection.hostId,
      tls: tlsFields(connection.tlsVersion, connection.cipher, connection.resumed),
      verdict: {
        status: verdict.status,
        reason: verdict.status === 'failed' ? verdict.reason : null,
        detail: verdict.status === 'failed' ? shorten(verdict.detail, 512) : null,
      },
      stores: storeFields(connection),
      identity: connection.identity === null ? null : wholeIdentityFields(connection.identity),
    },
  };
}

/** Trust stores of one connection that are told; a host has no more. */
const maxStores = 16;

/** What a replay under another configuration goes by. */
function storeFields({ judged }: Connection): unknown[] {
  return [...judged].slice(0, maxStores).map(([key, { verdict, chain }]) => ({
    store: key.slice(0, 16),
    verdict: verdict.status === 'failed' ? verdict.reason : verdict.status,
    issuers: chain.slice(0, 16).map(({ issuer }) => issuer.key.slice(0, 16)),
  }));
}

const maxNames = 32;

/** All that a policy can ask about. */
function wholeIdentityFields(identity: Identity): Record<string, unknown> {
  const { san, notBefore, spki, sha1 } = identity;
  const names = (of: readonly string[]): string[] => of.slice(0, maxNames).map((name) => shorten(name, 256));
  return {
    ...identityFields(identity),
    not_before: isoDate(notBefore),
    spki,
    sha1,
    names: { dns: names(san.dns), uri: names(san.uri), email: names(san.email), ip: names(san.ip) },
    names_cut: Object.values(san).some((all: readonly string[]) => all.length > maxNames),
  };
}

export function requestFields(event: RequestEvent): Record<string, unknown> {
  const { decision } = event;
  return {
    kind: 'request',
    request: {
      id: shorten(event.id, 128),
      method: shorten(event.method, 32),
      authority: shorten(event.authority, 260),
      target: shorten(event.target, 4096),
      user_agent: text(event.userAgent, 256),
      host: decision.host === null ? null : decision.host.id,
      route: decision.route === null ? null : decision.route.id,
      action: decision.action,
      decision: decision.reason,
      reason: event.reason,
      detail: text(event.detail ?? (decision.action === 'respond' ? decision.detail : null), 1024),
      would_deny: wouldDenyFields(decision),
      status: event.status,
      bytes_received: event.bytesReceived,
      bytes_sent: event.bytesSent,
      duration_ms: milliseconds(event.durationMs),
      upgrade: event.upgrade,
      upstream: event.upstream === null ? null : upstreamRecordFields(event.upstream),
    },
  };
}

function wouldDenyFields({ wouldDeny }: RequestEvent['decision']): Record<string, unknown> | null {
  if (wouldDeny === undefined) return null;
  const { check, reason, status, detail } = wouldDeny;
  return { check, reason, status, detail: text(detail, 1024) };
}

/** @param omitted Lines of the same reason that were left out before this one; null where none ever is. */
export function handshakeFields(
  event: HandshakeEvent,
  omitted: number | null = null,
): Record<string, unknown> {
  return {
    kind: 'handshake',
    connection: {
      listener: event.listener,
      remote_address: shorten(event.remoteAddress, 64),
      remote_port: event.remotePort,
      server_name: text(event.serverName, 256),
      host: event.host,
      tls: tlsFields(event.tlsVersion, event.cipher, event.resumed),
      identity: identityFields(event.identity),
    },
    handshake: {
      result: event.result,
      reason: event.reason,
      detail: text(event.detail, 1024),
      duration_ms: milliseconds(event.durationMs),
      offer: offerFields(event.offer),
      ...(omitted === null ? {} : { omitted }),
    },
  };
}

const maxOffered = 32;

const versionNames: ReadonlyMap<number, string> = new Map([
  [0x0304, 'TLSv1.3'],
  [0x0303, 'TLSv1.2'],
  [0x0302, 'TLSv1.1'],
  [0x0301, 'TLSv1'],
  [0x0300, 'SSLv3'],
]);

const code = (value: number): string => `0x${value.toString(16).padStart(4, '0')}`;

function offerFields(offer: HandshakeEvent['offer']): Record<string, unknown> | null {
  if (offer === null) return null;
  return {
    versions: offer.versions
      .slice(0, maxOffered)
      .map((version) => versionNames.get(version) ?? code(version)),
    alpn: offer.alpn.slice(0, maxOffered).map((name) => shorten(name, 64)),
    signature_algorithms: offer.signatureAlgorithms.slice(0, maxOffered).map(code),
    ja4: shorten(offer.ja4, 64),
  };
}

export function upstreamFields(event: UpstreamEvent): Record<string, unknown> {
  return {
    kind: 'upstream',
    upstream: {
      event: event.kind,
      name: shorten(event.upstream, 256),
      endpoint: shorten(event.endpoint, 300),
      detail: 'detail' in event ? shorten(event.detail, 512) : null,
      for_ms: event.kind === 'ejected' ? milliseconds(event.forMs) : null,
    },
  };
}

const maxProblems = 20;

export function reloadFields({ result, version, problems }: ReloadEvent): Record<string, unknown> {
  const shown = problems.slice(0, maxProblems).map((problem) => shorten(problem, 512));
  if (problems.length > maxProblems) shown.push(`and ${problems.length - maxProblems} more`);
  return { kind: 'reload', reload: { result, version, problems: shown } };
}

function tlsFields(
  version: string | null,
  cipher: string | null,
  resumed: boolean,
): Record<string, unknown> | null {
  return version === null ? null : { version, cipher, resumed };
}

function identityFields(identity: Identity | null): Record<string, unknown> | null {
  if (identity === null) return null;
  return {
    subject: shorten(identity.subjectText, 1024),
    issuer: shorten(identity.issuerText, 1024),
    serial: shorten(identity.serial, 64),
    fingerprint: identity.sha256,
    not_after: isoDate(identity.notAfter),
  };
}

/** A certificate can carry dates that a Date cannot. */
function isoDate(time: number): string | null {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

function upstreamRecordFields(record: UpstreamRecord): Record<string, unknown> {
  return {
    name: shorten(record.upstream, 256),
    endpoint: text(record.endpoint, 300),
    tries: record.tries,
    status: record.status,
    head_ms: record.headMs === null ? null : milliseconds(record.headMs),
  };
}
