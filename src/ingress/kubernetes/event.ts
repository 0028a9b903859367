import { hash } from 'node:crypto';
import type { KubernetesObject } from '../object.ts';
import { formatIngressProblem, type IngressProblem } from '../problem.ts';
import { ClusterOrigin } from './cluster.ts';

/** Bytes of a message: what API servers take. */
const maxMessage = 1024;

/** Characters of an object's name. */
const maxName = 253;

/** Events on objects that belong to no namespace are in this one, as client-go has it. */
const homeOfOthers = 'default';

/** Who writes events, as they name it. */
export const component = 'mtls-ingress';

/** An Event (core/v1) about a problem, but for when and how often. */
export interface ProblemEvent {
  readonly namespace: string;
  /** `OBJECT.HASH`: the same for the same object, reason and message, whoever writes it. */
  readonly name: string;
  readonly reason: string;
  readonly message: string;
  readonly involvedObject: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly namespace?: string;
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
}

/** Null for an object that is at no API server. Pure. */
export function eventOf(problem: IngressProblem): ProblemEvent | null {
  const { object } = problem;
  const { origin, kind, namespace, name } = object;
  if (!(origin instanceof ClusterOrigin)) return null;
  const { apiVersion, uid, resourceVersion } = origin;
  const reason = reasonOf(problem);
  const message = cut(formatIngressProblem(problem), maxMessage);
  const digest = hash('sha256', JSON.stringify([uid, kind, namespace, name, reason, message]), 'hex');
  const ending = `.${digest.slice(0, 16)}`;
  return {
    namespace: namespace === '' ? homeOfOthers : namespace,
    name: name.slice(0, maxName - ending.length).replace(/[-.]+$/, '') + ending,
    reason,
    message,
    involvedObject: {
      apiVersion,
      kind,
      ...(namespace === '' ? {} : { namespace }),
      name,
      uid,
      resourceVersion,
    },
  };
}

/**
 * What a problem is about, for selectors: `InvalidAnnotation`, `InvalidCertificate`, `BackendWarning` … The first word says that
 * part of the object is refused, the last that it ought to be looked at.
 */
export function reasonOf({ object, path, severity }: IngressProblem): string {
  return severity === 'error' ? `Invalid${areaOf(object, path)}` : `${areaOf(object, path)}Warning`;
}

function areaOf({ kind }: KubernetesObject, path: string): string {
  if (kind === 'ConfigMap') return 'Setting';
  if (kind !== 'Ingress') return kind;
  if (path.startsWith('/metadata/annotations')) return 'Annotation';
  if (path.startsWith('/spec/tls')) return 'Certificate';
  if (path.startsWith('/spec/defaultBackend') || path.includes('/paths/')) return 'Backend';
  return path.startsWith('/spec/rules') ? 'Rule' : kind;
}

/** The text, or as many of its characters as fit into so many bytes of UTF-8 with a mark that it goes on. */
function cut(text: string, most: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= most) return text;
  let end = most - Buffer.byteLength('…');
  // A byte 10xxxxxx goes on with a character that began before.
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--;
  return `${bytes.toString('utf8', 0, end)}…`;
}
