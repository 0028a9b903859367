import { quote } from '../config/text.ts';
import type { Finding } from '../config/problem.ts';
import type { Fields, Findings } from './fields.ts';
import type { Origin } from './object.ts';

/** A DNS subdomain (RFC 1123), as Kubernetes wants names to be. Nothing else gets near a file name or a metric. */
const subdomain = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

export function isSubdomain(text: string): boolean {
  return text.length <= 253 && subdomain.test(text);
}

/** A DNS label: the name of a namespace or a Service. */
export function isLabel(text: string): boolean {
  return isSubdomain(text) && !text.includes('.');
}

/** A key of a Secret or ConfigMap. */
export function isDataKey(text: string): boolean {
  return /^[-._a-zA-Z0-9]{1,253}$/.test(text);
}

/** What all objects have; `findings` grows while the rest is read. */
export interface Base {
  readonly namespace: string;
  readonly name: string;
  readonly createdAt: number;
  readonly annotations: ReadonlyMap<string, string>;
  readonly origin: Origin;
  readonly findings: readonly Finding[];
}

export interface Meta {
  readonly base: Base;
  readonly labels: ReadonlyMap<string, string>;
  readonly findings: Findings;
}

/** An object's metadata; without a namespace it is in `default`. */
export function readMeta(
  object: Fields,
  scope: 'namespace' | 'cluster',
  origin: Origin,
): Meta | { readonly fault: { readonly path: string; readonly message: string } } {
  const { findings } = object;
  const meta = object.map('metadata');
  const name = meta.get('name');
  if (typeof name !== 'string' || !isSubdomain(name)) {
    const message =
      name === undefined ? 'has no name' : `${quote(name)} is no name: lower-case letters, digits, - and .`;
    return { fault: { path: '/metadata/name', message } };
  }
  const namespace = scope === 'cluster' ? '' : (meta.get('namespace') ?? 'default');
  if (typeof namespace !== 'string' || (scope === 'namespace' && !isLabel(namespace))) {
    return { fault: { path: '/metadata/namespace', message: `${quote(namespace)} is no namespace` } };
  }
  const created = meta.get('creationTimestamp');
  const createdAt = typeof created === 'string' ? Date.parse(created) : 0;
  return {
    base: {
      namespace,
      name,
      createdAt: Number.isFinite(createdAt) ? createdAt : 0,
      annotations: strings(meta.map('annotations')),
      origin,
      findings: findings.list,
    },
    labels: strings(meta.map('labels')),
    findings,
  };
}

/**
 * Annotations and labels are texts. A bare `on` in YAML is a text here and `true` to kubectl's YAML 1.1; numbers and
 * booleans are taken for the text that they are written as, since the API server would have refused them.
 */
function strings(map: Fields): ReadonlyMap<string, string> {
  const result = new Map<string, string>();
  for (const [key, value] of map.entries()) {
    if (typeof value === 'string') result.set(key, value);
    else if (typeof value === 'number' || typeof value === 'boolean') {
      map.findings.warning(
        map.at(key),
        `${quote(value)} is no text: the API server refuses it, write it in quotes`,
      );
      result.set(key, String(value));
    } else map.findings.error(map.at(key), 'wants a text, in quotes');
  }
  return result;
}
