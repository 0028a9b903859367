import { quote } from '../../config/text.ts';
import { type Ingress, keyOf } from '../object.ts';
import { type HostPath, pathsByHost, placeOf, valueOf } from './hosts.ts';
import type { Notice } from './notices.ts';

/** The five surprises of ingress-nginx (Kubernetes blog, 2026-02-27), in its order. */
export const surpriseTitles = Object.freeze([
  'A regular expression matches whatever the letter case, and whatever follows it',
  'Regular expressions on one Ingress make every path of its hosts one',
  'rewrite-target makes every path of its hosts a regular expression',
  'A path that ends with / redirects whoever leaves the / out',
  'Paths are normalised before they are matched',
]);

/** Where the five surprises occur: each with its Ingress and path. They hold here as they did there. Pure. */
export function surprises(ingresses: readonly Ingress[]): Notice[] {
  const found: Notice[] = [];
  for (const [host, paths] of pathsByHost(ingresses)) {
    const owners = [...new Set(paths.map(({ ingress }) => ingress))].filter(usesRegex);
    const [owner] = owners;
    for (const one of paths) {
      found.push(...(owner === undefined ? ofPlainPath(host, one) : ofRegex(host, one, owner)));
    }
    for (const ingress of owners) {
      if (!rewrites(ingress) || valueOf(ingress, 'use-regex') === true) continue;
      const says = `rewrite-target makes every path of ${quote(host)} a regular expression, in all Ingresses`;
      found.push(notice(3, ingress, placeOf(ingress, 'rewrite-target'), null, says));
    }
  }
  return found.sort((a, b) => a.topic.localeCompare(b.topic));
}

function usesRegex(ingress: Ingress): boolean {
  return valueOf(ingress, 'use-regex') === true || rewrites(ingress);
}

/** A target that is the path itself rewrites nothing. */
function rewrites(ingress: Ingress): boolean {
  const target = valueOf(ingress, 'rewrite-target') as { readonly text: string } | null;
  const paths = ingress.rules.flatMap((rule) => rule.paths);
  return target !== null && paths.some(({ path }) => path !== target.text);
}

function ofRegex(host: string, { ingress, path }: HostPath, owner: Ingress): Notice[] {
  const found: Notice[] = [];
  const text = quote(path.path);
  const more = path.path.endsWith('$') ? '' : ', and every path that goes on behind it';
  found.push(
    notice(1, ingress, path.place, path.path, `${text} of ${quote(host)} matches in any letter case${more}`),
  );
  if (!usesRegex(ingress) || path.pathType === 'Exact') {
    const says = `${text} of ${quote(host)} is ${path.pathType} and yet a regular expression, because of ${keyOf(owner)}`;
    found.push(notice(2, ingress, path.place, path.path, says));
  }
  return [...found, ...ofSpelling(host, { ingress, path })];
}

function ofPlainPath(host: string, one: HostPath): Notice[] {
  const { ingress, path } = one;
  const found = ofSpelling(host, one);
  if (path.path.length > 1 && path.path.endsWith('/') && path.pathType !== 'Prefix') {
    const says = `${quote(path.path.slice(0, -1))} of ${quote(host)} is redirected to ${quote(path.path)} (301)`;
    found.push(notice(4, ingress, path.place, path.path, says));
  }
  return found;
}

function ofSpelling(host: string, { ingress, path }: HostPath): Notice[] {
  if (!/\/\/|\/\.\.?(?:\/|$)/.test(path.path)) return [];
  const says = `${quote(path.path)} of ${quote(host)} is no normalised path: requests are normalised first, so ingress-nginx never came here; write the path that is meant`;
  return [{ ...notice(5, ingress, path.place, path.path, says), needsAttention: true }];
}

function notice(number: number, ingress: Ingress, place: string, path: string | null, says: string): Notice {
  return { topic: `surprise ${number}`, object: ingress, place, path, says, needsAttention: false };
}
