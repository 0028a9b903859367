import { chooseCanary, type CanaryChoice } from '../../snapshot/canary.ts';
import type { Forward } from '../../snapshot/decision.ts';
import type { Route, Upstream } from '../../snapshot/snapshot.ts';
import {
  affinityNames,
  distinctNames,
  drawToken,
  drawTokenFor,
  formatCookie,
  type Place,
  ringOf,
} from '../affinity.ts';
import { cookieOf } from '../headers/cookie.ts';
import { valuesOf } from '../headers/field.ts';
import type { Preference } from '../upstream/outbound.ts';
import type { Exchange } from './exchange.ts';
import { keyFactsOf } from './key-facts.ts';
import type { Lane } from './lane.ts';

/** Where a request goes: the route's upstream or a canary, and there whichever endpoint its cookie names. */
export interface Destination {
  /** `Upstream.name`. */
  readonly upstream: string;
  readonly by: 'route' | 'affinity' | CanaryChoice['by'];
  /** Null: whoever's turn it is. */
  readonly preference: Preference | null;
  /** Cookies for the response that came from this endpoint (values of Set-Cookie): one, where it is new or another. */
  readonly cookies: (endpoint: string | null) => readonly string[];
}

const nothing: readonly string[] = Object.freeze([]);
const noCookies = (): readonly string[] => nothing;

/**
 * Chooses where a request goes. A client whose cookie says that an upstream of the route has served it stays with that,
 * whatever canaries ask for; then canaries choose (`chooseCanary`); within the upstream the cookie's endpoint is preferred,
 * and without a cookie the one that the request's key leads to.
 */
export function chooseDestination(lane: Lane, exchange: Exchange, { host, route }: Forward): Destination {
  const { rawHeaders } = exchange.request;
  const { affinity, canaries } = route;
  const { snapshot, head } = exchange.judgement;
  const byKey = (upstream: string): Preference | null =>
    keyPreference(exchange, route, snapshot.upstreams.get(upstream), lane.now());
  if (affinity === null && canaries.length === 0) {
    const { upstream } = route;
    return { upstream, by: 'route', preference: byKey(upstream), cookies: noCookies };
  }
  const find = (name: string): Upstream[] => {
    const upstream = snapshot.upstreams.get(name);
    return upstream === undefined ? [] : [upstream];
  };
  const keeping = [
    ...find(route.upstream),
    ...(affinity?.canary === 'sticky' ? canaries.flatMap(({ upstream }) => find(upstream)) : []),
  ];
  const names = affinity === null ? null : affinityNames(host);
  const kept = names?.read(cookieOf(rawHeaders, affinity?.cookie ?? ''), keeping) ?? null;
  const choice = kept === null ? chooseCanary(canaries, rawHeaders, lane.random()) : null;
  const upstream = kept?.upstream.name ?? choice?.canary?.upstream ?? route.upstream;
  const by = kept !== null ? 'affinity' : canaries.length === 0 ? 'route' : (choice?.by ?? 'route');
  const target = keeping.find(({ name }) => name === upstream);
  if (affinity === null || names === null || target === undefined) {
    return { upstream, by, preference: byKey(upstream), cookies: noCookies };
  }
  const setCookie = (place: Place): readonly string[] => {
    const https = (head?.told?.scheme ?? exchange.downstream.connection.listener) === 'https';
    const userAgent = valuesOf(rawHeaders, 'user-agent')[0] ?? '';
    return [formatCookie(affinity, names.write(place), { https, userAgent, now: lane.now() })];
  };
  const stays = (served: boolean): boolean => kept !== null && (served || !affinity.changeOnFailure);
  if (affinity.mode === 'persistent') {
    const wanted = kept === null ? null : names.endpointOf(kept);
    return {
      upstream,
      by,
      preference: wanted === null ? null : { endpoint: wanted },
      cookies: (endpoint) => {
        if (endpoint === null || (wanted !== null && stays(endpoint === wanted))) return nothing;
        return setCookie({ upstream: target, token: names.tokenOf(target, endpoint) });
      },
    };
  }
  const token = kept?.token ?? drawToken();
  return {
    upstream,
    by,
    preference: { key: token },
    cookies: (endpoint) => {
      if (endpoint === null) return nothing;
      const served = distinctNames(target)[ringOf(target).first(token)] === endpoint;
      if (stays(served)) return nothing;
      const lasting = served ? token : drawTokenFor(target, endpoint);
      return lasting === null ? nothing : setCookie({ upstream: target, token: lasting });
    },
  };
}

/** Where the upstream hashes requests, and this one has a key. */
function keyPreference(
  exchange: Exchange,
  route: Route,
  upstream: Upstream | undefined,
  now: number,
): Preference | null {
  const hash = upstream?.hash ?? null;
  const facts = hash === null ? null : keyFactsOf(exchange, route, now);
  if (hash === null || facts === null) return null;
  const key = hash.template.render(facts);
  return key === '' ? null : { key, subset: hash.subset };
}
