import { anyName, normaliseHostName } from '../../snapshot/host-name.ts';
import { error, type Finding, given, pointer, warning } from '../problem.ts';
import type { Config } from '../schema.ts';
import { didYouMean, quote } from '../text.ts';

/** Every name is one, in one of the forms there are, and leads to one host. */
export function checkNames(config: Config): Finding[] {
  const findings: Finding[] = [];
  const places = new Map<string, string>();
  for (const [host, { names }] of config.hosts.entries()) {
    for (const [index, name] of names.entries()) {
      const path = pointer('hosts', host, 'names', index);
      const normal = normaliseConfigName(name);
      if (normal === null) {
        findings.push(error(path, nameProblem(name)));
        continue;
      }
      const earlier = places.get(normal);
      if (earlier === undefined) places.set(normal, path);
      else {
        const twice = `${quote(name)} stands at ${earlier} already: a name leads to one host`;
        findings.push(given(error(path, twice), earlier));
      }
    }
  }
  return [...findings, ...defaultHostFindings(config, places)];
}

/** @param places Normalised names, to where they stand. */
function defaultHostFindings({ tls }: Config, places: ReadonlyMap<string, string>): Finding[] {
  const name = tls?.defaultHost;
  if (name === undefined) return [];
  const normal = normaliseConfigName(name);
  if (normal === null) return [error('/tls/defaultHost', nameProblem(name))];
  if (!places.has(normal)) {
    return [
      error(
        '/tls/defaultHost',
        `no host has the name ${quote(name)}${didYouMean(normal, [...places.keys()])}`,
      ),
    ];
  }
  if (tls?.unknownServerName !== 'refuse' || tls.absentServerName !== 'refuse') return [];
  return [
    warning(
      '/tls/defaultHost',
      'unused: unknownServerName and absentServerName refuse whoever it could stand in for',
    ),
  ];
}

/** The one spelling of a host's name in the configuration, `*.` in front of a wildcard's; null where it is none. */
export function normaliseConfigName(name: string): string | null {
  if (name === anyName) return name;
  if (!name.startsWith('*.')) return normaliseHostName(name);
  const parent = normaliseHostName(name.slice(2));
  // `*.1.2.3.4` and `*.::1` would be wildcards over addresses.
  return parent === null || isAddress(parent) ? null : `*.${parent}`;
}

function isAddress(normal: string): boolean {
  return normal.includes(':') || /^[0-9.]+$/.test(normal);
}

function nameProblem(name: string): string {
  const shown = quote(name);
  if (name.includes('*')) {
    return `${shown}: a wildcard stands for one whole label in front, as in \`*.example.com\`, and \`*\` alone for every other name`;
  }
  if (/^[a-z]+:\/\//i.test(name)) return `${shown} is a URL: write its host name alone`;
  if (name.includes('/')) return `${shown} has a path: that belongs into a route`;
  if (normaliseHostName(name.replace(/:[0-9]*$/, '')) !== null) {
    return `${shown} has a port: leave it out, a host answers on every listener`;
  }
  if (/[^\0-\x7f]/.test(name)) return `${shown}: write the name as it stands in DNS, \`xn--…\``;
  return `${shown} is no host name or IP address`;
}
