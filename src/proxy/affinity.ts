import { createHmac, randomBytes } from 'node:crypto';
import type { Affinity } from '../snapshot/affinity.ts';
import type { Host, Upstream } from '../snapshot/snapshot.ts';
import { HashRing } from './hash-ring.ts';

/** What a client's cookie says: which of the route's upstreams it was served by, and which endpoint there. */
export interface Place {
  readonly upstream: Upstream;
  /** Balanced: where on the ring. Persistent: the endpoint. 32 hexadecimal digits. */
  readonly token: string;
}

const format = /^([0-9a-f]{32})\.([0-9a-f]{16})$/;

/**
 * The names under which cookies know endpoints and upstreams. They are keyed hashes, so no address can be read or guessed
 * from them, and the key is taken from the host's own private key: every worker and every proxy that serves the host
 * agrees on them, across reloads and restarts, until the certificate gets a new key. Then clients are placed anew.
 */
export class AffinityNames {
  readonly #key: Buffer;
  readonly #tags = new Map<string, string>();
  readonly #endpoints = new WeakMap<Upstream, ReadonlyMap<string, string>>();

  constructor(host: Pick<Host, 'certificate'>) {
    this.#key = createHmac('sha256', host.certificate.key).update('mtls-ingress affinity').digest();
  }

  /** Reads a cookie's value: null for one that is not ours, or that names none of these upstreams. */
  read(value: string | null, upstreams: readonly Upstream[]): Place | null {
    const [, token, tag] = format.exec(value ?? '') ?? [];
    const upstream = upstreams.find(({ name }) => this.#tag(name) === tag);
    return token === undefined || upstream === undefined ? null : { upstream, token };
  }

  write({ token, upstream }: Place): string {
    return `${token}.${this.#tag(upstream.name)}`;
  }

  /** The token of an endpoint. */
  tokenOf(upstream: Upstream, endpoint: string): string {
    return this.#hash(`endpoint\0${upstream.name}\0${endpoint}`).slice(0, 32);
  }

  /** The endpoint that a token names, or null. */
  endpointOf({ upstream, token }: Place): string | null {
    let endpoints = this.#endpoints.get(upstream);
    if (endpoints === undefined) {
      endpoints = new Map(upstream.endpoints.map(({ name }) => [this.tokenOf(upstream, name), name]));
      this.#endpoints.set(upstream, endpoints);
    }
    return endpoints.get(token) ?? null;
  }

  #tag(upstream: string): string {
    let tag = this.#tags.get(upstream);
    if (tag === undefined) {
      tag = this.#hash(`upstream\0${upstream}`).slice(0, 16);
      this.#tags.set(upstream, tag);
    }
    return tag;
  }

  #hash(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('hex');
  }
}

const namesOfHosts = new WeakMap<Host, AffinityNames>();

/** The names for a host, made once: they live as long as it does. */
export function affinityNames(host: Host): AffinityNames {
  let names = namesOfHosts.get(host);
  if (names === undefined) {
    names = new AffinityNames(host);
    namesOfHosts.set(host, names);
  }
  return names;
}

const rings = new WeakMap<Upstream, HashRing>();

/** The ring of an upstream's endpoints, each once, in the order of `distinctNames`. */
export function ringOf(upstream: Upstream): HashRing {
  let ring = rings.get(upstream);
  if (ring === undefined) {
    ring = new HashRing(distinctNames(upstream));
    rings.set(upstream, ring);
  }
  return ring;
}

/** An endpoint named twice is one endpoint. */
export function distinctNames({ endpoints }: Pick<Upstream, 'endpoints'>): string[] {
  return [...new Set(endpoints.map(({ name }) => name))];
}

/** A new token for the ring. */
export function drawToken(): string {
  return randomBytes(16).toString('hex');
}

/** A token whose own endpoint is this one; draws until one fits, and gives up where chance is against it. */
export function drawTokenFor(upstream: Upstream, endpoint: string): string | null {
  const index = distinctNames(upstream).indexOf(endpoint);
  if (index === -1) return null;
  const ring = ringOf(upstream);
  for (let draws = 0; draws < 32 * (upstream.endpoints.length + 1); draws++) {
    const token = drawToken();
    if (ring.first(token) === index) return token;
  }
  return null;
}

/** What a Set-Cookie line depends on besides the affinity's own settings. */
export interface CookieSituation {
  /** The client came by https, to us or to a trusted proxy in front. */
  readonly https: boolean;
  readonly userAgent: string;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** The value of a Set-Cookie header (RFC 6265 §4.1): always HttpOnly, as in ingress-nginx. */
export function formatCookie(
  affinity: Affinity,
  value: string,
  { https, userAgent, now }: CookieSituation,
): string {
  const { cookie, path, domain, expires, maxAge, sameSite } = affinity;
  const misread = affinity.conditionalSameSiteNone && sameSite === 'None' && misreadsSameSiteNone(userAgent);
  return [
    `${cookie}=${value}`,
    ...(expires === null ? [] : [`Expires=${new Date(now + expires * 1000).toUTCString()}`]),
    ...(maxAge === null ? [] : [`Max-Age=${maxAge}`]),
    ...(domain === null ? [] : [`Domain=${domain}`]),
    `Path=${path}`,
    ...((affinity.secure ?? https) ? ['Secure'] : []),
    'HttpOnly',
    ...(sameSite === null || misread ? [] : [`SameSite=${sameSite}`]),
    ...(affinity.partitioned ? ['Partitioned'] : []),
  ].join('; ');
}

/**
 * Browsers that take `SameSite=None` for Strict, or drop the cookie: Chromium's list of incompatible clients (iOS 12,
 * Safari and embedded browsers of macOS 10.14, Chrome 51 to 66, UC Browser before 12.13.2).
 */
export function misreadsSameSiteNone(userAgent: string): boolean {
  if (/\(iP.+; CPU .*OS 12[_\d]*.*\) AppleWebKit\//.test(userAgent)) return true;
  if (/\(Macintosh;.*Mac OS X 10_14[_\d]*.*\) AppleWebKit\//.test(userAgent)) {
    const safari = userAgent.includes('Version/') && !/Chrom(?:e|ium)/.test(userAgent);
    return (
      safari ||
      /^Mozilla\/[.\d]+ \(Macintosh;[^)]*\) AppleWebKit\/[.\d]+ \(KHTML, like Gecko\)$/.test(userAgent)
    );
  }
  const uc = /UCBrowser\/(\d+)\.(\d+)\.(\d+)/.exec(userAgent);
  if (uc !== null) {
    const [major, minor, build] = uc.slice(1).map(Number) as [number, number, number];
    return major < 12 || (major === 12 && (minor < 13 || (minor === 13 && build < 2)));
  }
  const version = Number(/Chrom(?:e|ium)\/(\d+)\./.exec(userAgent)?.[1] ?? 0);
  return version >= 51 && version <= 66;
}
