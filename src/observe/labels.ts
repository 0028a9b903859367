import { STATUS_CODES } from 'node:http';
import { answers, handshakeReasons, type RefusalReason } from '../snapshot/reason.ts';

/** Stands for a host, route or upstream that the snapshot does not have. */
export const unknown = '_';

/** Stands for a value outside a closed set. */
const other = 'other';

/** The methods of RFC 9110 and PATCH; every other one counts as `other`. */
const methodNames = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'CONNECT',
  'TRACE',
  other,
] as const;
export const otherMethod: number = methodNames.length - 1;
const methodIndices: ReadonlyMap<string, number> = new Map(methodNames.map((name, index) => [name, index]));

/** A small number for a method; any client can send any method. */
export function methodIndex(method: string): number {
  return methodIndices.get(method) ?? otherMethod;
}

export function methodLabel(index: number): string {
  return methodNames[index] ?? other;
}

/** By class, and 0 for no status at all. An upstream's three digits may also be 600 or 999. */
const classNames = ['0', '1xx', '2xx', '3xx', '4xx', '5xx', other] as const;
export const statusClasses: number = classNames.length;
const otherClass = statusClasses - 1;

/** A status, or where IANA does not know it (a client may choose it through an echoing backend) its class. */
const canonicalStatus: readonly number[] = Array.from({ length: 1000 }, (_, status) =>
  STATUS_CODES[status] === undefined ? statusClass(status) : status,
);

export function statusClass(status: number): number {
  if (status === 0) return 0;
  return status >= 100 && status < 600 ? Math.trunc(status / 100) : otherClass;
}

/** A known status as it is, or its class: a number below 1000 either way. */
export function foldStatus(status: number): number {
  return canonicalStatus[status] ?? otherClass;
}

/** The label of what `foldStatus` or `statusClass` gave. */
export function statusLabel(folded: number): string {
  return classNames[folded] ?? String(folded);
}

const refusalReasons: ReadonlySet<string> = new Set(Object.keys(answers));

export function isRefusal(reason: string): reason is RefusalReason {
  return refusalReasons.has(reason);
}

const knownHandshakeReasons: ReadonlySet<string> = new Set(handshakeReasons);
export const handshakeReasonLabel = (reason: string): string =>
  knownHandshakeReasons.has(reason) ? reason : other;

const listeners: ReadonlySet<string> = new Set(['https', 'http', 'admin']);
export const listenerLabel = (listener: string): string => (listeners.has(listener) ? listener : other);

/** The versions there are to negotiate. Null, where a handshake broke off too early, is `none`. */
export function tlsVersionLabel(version: string | null): string {
  if (version === null) return 'none';
  return version === 'TLSv1.3' || version === 'TLSv1.2' ? version : other;
}

/** Why a call to a Kubernetes API failed. */
export const kubernetesFaults = [
  'unreachable',
  'unauthorized',
  'forbidden',
  'expired',
  'throttled',
  'error',
] as const;
export type KubernetesFault = (typeof kubernetesFaults)[number];

/** What the validating webhook said of an Ingress. */
export const webhookAnswers = ['allowed', 'refused', 'unjudged'] as const;
export type WebhookAnswer = (typeof webhookAnswers)[number];
