import { shorten } from '../../observe/shorten.ts';
import { anyName, wildcardParent } from '../host-name.ts';
import { createHostTable } from '../host-table.ts';
import { createRouteTable } from '../route-table.ts';
import type { Host, Route } from '../snapshot.ts';

/** Something that was found, and what else there is and why it was not. */
export interface Choice {
  /** Null: nothing matches. */
  readonly found: { readonly id: string; readonly by: string } | null;
  /** Those that match and stand behind it, then those that come near. */
  readonly others: readonly RunnerUp[];
  /** How many more there are that are not shown. */
  readonly more: number;
}

export interface RunnerUp {
  readonly id: string;
  /** It matches too, and another goes before it. */
  readonly matches: boolean;
  readonly why: string;
}

/** Of each of the two kinds: explanations are bounded. */
const shownEach = 8;

const text = (value: string): string => `\`${shorten(value, 128)}\``;

/** Which host answers for a name (normalised), and which do not. */
export function explainHost(hosts: readonly Host[], name: string, found: Host | null): Choice {
  const matching: RunnerUp[] = [];
  const missing: { readonly runner: RunnerUp; readonly near: number }[] = [];
  for (const host of hosts) {
    if (host === found) continue;
    const id = shorten(host.id, 256);
    if (createHostTable([host]).find(name) === host) {
      const by = howNamed(host, name);
      matching.push({ id, matches: true, why: `${by} covers it too, and ${goesFirst(found, name)}` });
    } else {
      missing.push({
        runner: { id, matches: false, why: whyNoName(host, name) },
        near: nearness(host, name),
      });
    }
  }
  const nearest = missing
    .filter(({ near }) => near > 0)
    .sort((a, b) => b.near - a.near)
    .map(({ runner }) => runner);
  const others = [...matching.slice(0, shownEach), ...nearest.slice(0, shownEach)];
  return {
    found: found === null ? null : { id: shorten(found.id, 256), by: howNamed(found, name) },
    others,
    more: hosts.length - (found === null ? 0 : 1) - others.length,
  };
}

function howNamed({ names }: Host, name: string): string {
  if (names.includes(name)) return `its name ${text(name)}`;
  const parent = wildcardParent(name);
  const wildcard = `*.${parent ?? ''}`;
  if (parent !== null && names.includes(wildcard)) return `its name ${text(wildcard)}`;
  return 'its name `*`, which is for all others';
}

function goesFirst(found: Host | null, name: string): string {
  if (found?.names.includes(name) === true) return 'a whole name goes first';
  return 'a wildcard goes before `*`';
}

function whyNoName({ names }: Host, name: string): string {
  const wildcard = names.find((one) => one.startsWith('*.') && `.${name}`.endsWith(one.slice(1)));
  if (wildcard !== undefined) {
    return name === wildcard.slice(2)
      ? `${text(wildcard)} does not cover ${text(name)} itself`
      : `${text(wildcard)} covers one label, and ${text(name)} has more before it`;
  }
  const others = names.filter((one) => one !== anyName);
  return `its ${others.length === 1 ? `name is ${text(others[0] ?? '')}` : `${others.length} names are others`}`;
}

/** Labels at the end that a name of the host has in common with this one. */
function nearness({ names }: Host, name: string): number {
  const wanted = name.split('.').reverse();
  let best = 0;
  for (const one of names) {
    const labels = one.split('.').reverse();
    let common = 0;
    while (common < wanted.length && labels[common] === wanted[common]) common++;
    best = Math.max(best, common);
  }
  return best;
}

/** Which route of a host takes a path (normalised), and which do not. */
export function explainRoute(routes: readonly Route[], path: string, found: Route | null): Choice {
  const matching: RunnerUp[] = [];
  const missing: { readonly runner: RunnerUp; readonly near: number }[] = [];
  for (const route of routes) {
    if (route === found) continue;
    const id = nameOfRoute(route);
    if (createRouteTable([route]).find(path) === route) {
      matching.push({ id, matches: true, why: whyBehind(route, found) });
    } else {
      const near = route.pathType === 'Regex' ? 1 : commonPrefix(route.path, path);
      missing.push({ runner: { id, matches: false, why: whyNoPath(route, path) }, near });
    }
  }
  const nearest = missing.sort((a, b) => b.near - a.near).map(({ runner }) => runner);
  const others = [...matching.slice(0, shownEach), ...nearest.slice(0, shownEach)];
  return {
    found: found === null ? null : { id: nameOfRoute(found), by: byWhat[found.pathType] },
    others,
    more: routes.length - (found === null ? 0 : 1) - others.length,
  };
}

/** `/admin (Prefix)`: its host is told beside it. */
export function nameOfRoute({ path, pathType }: Pick<Route, 'path' | 'pathType'>): string {
  return `${shorten(path, 256)} (${pathType})`;
}

const byWhat = {
  Exact: 'the whole path',
  Prefix: 'the longest beginning, by whole segments',
  RawPrefix: 'the longest beginning',
  Regex: 'the first regular expression that matches',
} as const;

function whyBehind(route: Route, found: Route | null): string {
  switch (found?.pathType) {
    case 'Exact':
      return route.pathType === 'Exact'
        ? 'the same path once more: the first counts'
        : 'a whole path goes first';
    case 'Regex':
      return route.pathType === 'Regex'
        ? 'another expression that matches stands before it'
        : 'a regular expression goes before prefixes';
    default:
      if (found?.pathType === route.pathType && found.path === route.path) {
        return 'the same path once more: the first counts';
      }
      return 'another that matches is longer';
  }
}

function whyNoPath({ path: wanted, pathType }: Route, path: string): string {
  const sameButCase = path.toLowerCase().startsWith(wanted.toLowerCase()) && !path.startsWith(wanted);
  switch (pathType) {
    case 'Exact':
      if (path.toLowerCase() === wanted.toLowerCase()) return 'letter case counts';
      return path === `${wanted}/` || wanted === `${path}/`
        ? 'Exact: a slash at the end is another path'
        : 'Exact: the path is another';
    case 'Prefix':
      if (path.startsWith(wanted)) return 'the path begins with it, but its segment goes on';
      return sameButCase ? 'letter case counts' : 'the path does not lie below it';
    case 'RawPrefix':
      return sameButCase ? 'letter case counts' : 'the path does not begin with it';
    case 'Regex':
      return 'the expression does not match from the start of the path';
  }
}

function commonPrefix(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}
