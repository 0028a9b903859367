import { quote } from '../config/text.ts';
import type { Fields } from './fields.ts';
import type { ConfigMap, Secret } from './object.ts';
import { isDataKey, type Meta } from './read-meta.ts';

/** The whole of base64 and nothing else: what Node's decoder skips in silence may have been meant. */
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Contents are never repeated in a message. */
export function readSecret({ base, findings }: Meta, object: Fields): Secret {
  const data = new Map<string, Uint8Array>();
  entries(object.map('data'), (key, value, path) => {
    const text = value.replaceAll(/[\r\n]/g, '');
    if (base64.test(text)) data.set(key, Buffer.from(text, 'base64'));
    else findings.error(path, 'is no base64: plain text goes under stringData');
  });
  entries(object.map('stringData'), (key, value) => data.set(key, Buffer.from(value)));
  return Object.freeze({
    kind: 'Secret',
    ...base,
    data,
  });
}

export function readConfigMap({ base }: Meta, object: Fields): ConfigMap {
  const data = new Map<string, string>();
  entries(object.map('data'), (key, value) => data.set(key, value));
  return Object.freeze({
    kind: 'ConfigMap',
    ...base,
    data,
  });
}

function entries(map: Fields, take: (key: string, value: string, path: string) => void): void {
  for (const [key, value] of map.entries()) {
    if (!isDataKey(key)) map.findings.error(map.at(key), `${quote(key)} is no key`);
    else if (typeof value === 'string') take(key, value, map.at(key));
    else map.findings.error(map.at(key), 'wants a text, in quotes');
  }
}
