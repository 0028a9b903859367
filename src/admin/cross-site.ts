import type { IncomingMessage } from 'node:http';

/**
 * Why a request looks as if a page of another site had a browser send it; null where it does not. Such a request has
 * the browser's way past the loopback and its client certificate (CSRF). Browsers say so in Sec-Fetch-Site (Fetch
 * Metadata), those that do not in Origin; programs send neither.
 *
 * @param navigable A person may follow a link to it from anywhere: it is read only, and the other site sees nothing of it.
 */
export function crossSiteFault(
  { method, headers }: Pick<IncomingMessage, 'method' | 'headers'>,
  scheme: 'http' | 'https',
  navigable: boolean,
): string | null {
  const { origin, host = '', 'sec-fetch-site': site } = headers;
  if (origin !== undefined && origin.toLowerCase() !== `${scheme}://${host.toLowerCase()}`) {
    return 'a page of another origin sent this';
  }
  // Several of them arrive joined by commas, and are then none of these.
  if (site === undefined || site === 'same-origin' || site === 'none') return null;
  const followed =
    (method === 'GET' || method === 'HEAD') &&
    headers['sec-fetch-mode'] === 'navigate' &&
    headers['sec-fetch-dest'] === 'document';
  return navigable && followed ? null : 'a page of another site sent this';
}

/** Every Host header there is: Node's `headers.host` is the first of them. */
export function hostsOf({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>): string[] {
  const hosts: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]!.toLowerCase() === 'host') hosts.push(rawHeaders[index + 1]!);
  }
  return hosts;
}
