import { isFieldValue, isToken } from './field.ts';
import { connectionNamed, hopByHopNames } from './hop-by-hop.ts';

/** RFC 9440 §2.4: never in a response. */
const removed: ReadonlySet<string> = new Set([...hopByHopNames, 'client-cert', 'client-cert-chain']);

/**
 * The headers of an upstream's response that go on to the client, in their order: name, value, …. Without
 * those of one hop, those that its Connection header names, and whatever is no header by RFC 9110 §5.
 * Content-Length and Transfer-Encoding are left out too: the caller frames the body.
 */
export function planResponseHeaders(rawHeaders: readonly string[]): string[] {
  const named = connectionNamed(rawHeaders);
  const planned: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const value = rawHeaders[index + 1] ?? '';
    const lower = name.toLowerCase();
    if (removed.has(lower) || named?.has(lower) === true || !isToken(name) || !isFieldValue(value)) continue;
    planned.push(name, value);
  }
  return planned;
}
