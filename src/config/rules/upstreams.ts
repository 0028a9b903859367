import { cryptoFault } from '../../tls/crypto-settings.ts';
import { normaliseHostName } from '../../snapshot/host-name.ts';
import { compileKeyTemplate } from '../../snapshot/key-template.ts';
import { normalisePath } from '../../snapshot/path.ts';
import { error, type Finding, given, pointer, warning } from '../problem.ts';
import { upstreamsOf } from '../route-upstreams.ts';
import type { Config, UpstreamConfig } from '../schema.ts';
import { quote } from '../text.ts';

/** Upstreams are used, have endpoints that exist, and verify who answers there unless told not to. */
export function checkUpstreams(config: Config): Finding[] {
  const routes = config.hosts.flatMap((host) => host.routes);
  const used = new Set(routes.flatMap((route) => upstreamsOf(route).map(({ name }) => name)));
  return Object.entries(config.upstreams).flatMap(([name, upstream]) =>
    upstreamFindings(upstream, pointer('upstreams', name), used.has(name)),
  );
}

function upstreamFindings(upstream: UpstreamConfig, path: string, isUsed: boolean): Finding[] {
  const unused = given(
    { ...warning(path, 'no route leads to this upstream'), atKey: true },
    '/hosts/*/routes/*/upstream',
  );
  return [
    ...(isUsed ? [] : [unused]),
    ...endpointFindings(upstream, path),
    ...balanceFindings(upstream, `${path}/balance`),
    ...tlsFindings(upstream, `${path}/tls`),
    ...healthFindings(upstream, `${path}/health`),
  ];
}

function endpointFindings({ endpoints }: UpstreamConfig, path: string): Finding[] {
  if (endpoints.length === 0) {
    return [warning(`${path}/endpoints`, 'no endpoints: every request is answered 503')];
  }
  const seen = new Map<string, string>();
  return endpoints.flatMap((text, index) => {
    const place = `${path}/endpoints/${index}`;
    const colon = text.lastIndexOf(':');
    const [address, port] = [normaliseHostName(text.slice(0, colon)), Number(text.slice(colon + 1))];
    if (address === null)
      return [error(place, `${quote(text.slice(0, colon))} is no host name or IP address`)];
    if (port < 1 || port > 65535) return [error(place, `${quote(text)}: a port is 1 to 65535`)];
    const earlier = seen.get(`${address} ${port}`);
    if (earlier !== undefined)
      return [given(warning(place, `stands at ${earlier} already: it gets a double share`), earlier)];
    seen.set(`${address} ${port}`, place);
    return [];
  });
}

function balanceFindings({ balance }: UpstreamConfig, path: string): Finding[] {
  if (typeof balance !== 'object') return [];
  const template = compileKeyTemplate(balance.hash);
  return 'problem' in template ? [error(`${path}/hash`, template.problem)] : [];
}

function tlsFindings({ tls }: UpstreamConfig, path: string): Finding[] {
  if (tls === undefined) return [];
  const findings: Finding[] = [];
  if (tls.serverName !== undefined && normaliseHostName(tls.serverName) === null) {
    findings.push(error(`${path}/serverName`, `${quote(tls.serverName)} is no host name or IP address`));
  }
  for (const [index, name] of (tls.ciphers ?? []).entries()) {
    const fault = cryptoFault('ciphers', name);
    if (fault !== null) findings.push(error(`${path}/ciphers/${index}`, `${quote(name)} ${fault}`));
  }
  if (tls.minVersion === 'TLSv1.3' && tls.maxVersion === 'TLSv1.2') {
    findings.push(error(`${path}/maxVersion`, 'is before `minVersion`: no version is left'));
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    const [given, missing] = tls.cert === undefined ? ['key', 'cert'] : ['cert', 'key'];
    findings.push(error(`${path}/${given}`, `a client certificate is a pair: add \`${missing}\``));
  }
  if (tls.dangerouslySkipVerification === true) {
    const place = `${path}/dangerouslySkipVerification`;
    findings.push(
      tls.ca === undefined
        ? warning(place, 'whoever answers is taken for the backend, and can read every request')
        : error(place, 'contradicts `ca`: take one of them away'),
    );
  }
  return findings;
}

function healthFindings({ health }: UpstreamConfig, path: string): Finding[] {
  if (health === undefined) return [];
  const findings: Finding[] = [];
  const [target, ...query] = health.path.split('?');
  if (normalisePath(target ?? '') === null || !/^[!-"$-~]*$/.test(query.join('?'))) {
    findings.push(error(`${path}/path`, `${quote(health.path)} is no path that can be asked for`));
  }
  const { host } = health;
  if (host !== undefined && !/^[a-z0-9.:[\]_-]{1,255}$/i.test(host)) {
    findings.push(
      error(`${path}/host`, `${quote(host)} is no Host header: a host name, perhaps with a port`),
    );
  }
  return findings;
}
