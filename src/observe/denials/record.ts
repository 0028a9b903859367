import { overallVerdict } from '../../snapshot/connection.ts';
import type { HandshakeReason, RequestReason } from '../../snapshot/reason.ts';
import type { Identity } from '../../tls/identity.ts';
import type { HandshakeEvent, RequestEvent } from '../observer.ts';
import { shorten } from '../shorten.ts';
import { nearMiss } from './near-miss.ts';

/** Somebody was turned away, and all that an operator needs to say why. Plain data, bounded, fit for JSON. */
export interface Denial {
  /** ISO 8601. */
  readonly time: string;
  /** `handshake`: it broke off, or its certificate will be answered with an error. */
  readonly kind: 'request' | 'handshake';
  /** `report`: it was served all the same, because what would have refused it only reports. */
  readonly outcome: 'denied' | 'report';
  /** The request's id, as on the client's error page and in the log; null of a handshake. */
  readonly id: string | null;
  readonly reason: HandshakeReason | RequestReason;
  /** What was seen and what was wanted. Null where the reason says all. */
  readonly nearMiss: string | null;
  /** Sent to the client; null of a handshake, 0 where it left before. */
  readonly status: number | null;
  readonly address: string;
  readonly port: number;
  /** SNI. */
  readonly serverName: string | null;
  /** `Host.id` of the host that was asked for, or whose handshake it was. */
  readonly host: string | null;
  /** `Route.id`. */
  readonly route: string | null;
  /** The Host header as sent. */
  readonly authority: string | null;
  readonly method: string | null;
  /** As sent, without the query, which may hold secrets. */
  readonly path: string | null;
  readonly tls: string | null;
  readonly certificate: DeniedCertificate | null;
}

/** The certificate that was shown. */
export interface DeniedCertificate {
  /** One of the host's trust stores took it at the handshake; else all here is only claimed. */
  readonly verified: boolean;
  /** RFC 2253. */
  readonly subject: string;
  readonly issuer: string;
  /** Hex. */
  readonly serial: string;
  /** SHA-256, hex. */
  readonly fingerprint: string;
  /** ISO 8601; null for dates that cannot be written so. */
  readonly notAfter: string | null;
}

const text = (value: string | null, length: number): string | null =>
  value === null ? null : shorten(value, length);

/**
 * The record of a request that was denied, or would have been.
 * @param time Milliseconds since 1970.
 */
export function denialOfRequest(
  event: RequestEvent,
  time: number,
  { outcome, reason, detail }: { outcome: Denial['outcome']; reason: RequestReason; detail: string | null },
): Denial {
  const { connection, decision } = event;
  const query = event.target.indexOf('?');
  return {
    time: new Date(time).toISOString(),
    kind: 'request',
    outcome,
    id: shorten(event.id, 128),
    reason,
    nearMiss: text(nearMiss(reason, detail, connection.identity, time), 1024),
    status: event.status,
    address: shorten(connection.remoteAddress, 64),
    port: connection.remotePort,
    serverName: text(connection.serverName, 256),
    host: decision.host?.id ?? null,
    route: decision.route?.id ?? null,
    authority: shorten(event.authority, 260),
    method: shorten(event.method, 32),
    path: shorten(query === -1 ? event.target : event.target.slice(0, query), 1024),
    tls: connection.tlsVersion,
    certificate: certificateOf(connection.identity, overallVerdict(connection).status === 'success'),
  };
}

/** @param time Milliseconds since 1970. */
export function denialOfHandshake(event: HandshakeEvent, time: number): Denial {
  return {
    time: new Date(time).toISOString(),
    kind: 'handshake',
    outcome: 'denied',
    id: null,
    reason: event.reason,
    nearMiss: text(nearMiss(event.reason, event.detail, event.identity, time), 1024),
    status: null,
    address: shorten(event.remoteAddress, 64),
    port: event.remotePort,
    serverName: text(event.serverName, 256),
    host: event.host,
    route: null,
    authority: null,
    method: null,
    path: null,
    tls: event.tlsVersion,
    certificate: certificateOf(event.identity, false),
  };
}

function certificateOf(identity: Identity | null, verified: boolean): DeniedCertificate | null {
  if (identity === null) return null;
  const { subjectText, issuerText, serial, sha256, notAfter } = identity;
  const end = new Date(notAfter);
  return {
    verified,
    subject: shorten(subjectText, 1024),
    issuer: shorten(issuerText, 1024),
    serial: shorten(serial, 64),
    fingerprint: sha256,
    notAfter: Number.isNaN(end.getTime()) ? null : end.toISOString(),
  };
}

/** Bytes that a record takes in memory, about: its texts, and what the objects themselves cost. */
export function sizeOf(denial: Denial): number {
  const { certificate } = denial;
  let length = 0;
  for (const value of Object.values(denial)) if (typeof value === 'string') length += value.length;
  for (const value of Object.values(certificate ?? {})) if (typeof value === 'string') length += value.length;
  // Two bytes a character at worst; the objects' own slots were measured at some 400 bytes.
  return 2 * length + 512;
}
