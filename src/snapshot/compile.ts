import { createHash } from 'node:crypto';
import { defaults } from '../config/defaults.ts';
import { pointer } from '../config/problem.ts';
import type { Config, HostConfig, RouteConfig, UpstreamConfig } from '../config/schema.ts';
import { tlsPresets } from '../config/tls-presets.ts';
import { parseDuration, parseSize } from '../config/units.ts';
import { compilePolicy } from '../policy/compile.ts';
import type { Policy } from '../policy/policy.ts';
import { checkTemplates } from '../proxy/headers/identity.ts';
import { identityHeaderNamesOf } from '../proxy/headers/names.ts';
import { normaliseHostName } from './host-name.ts';
import { createHostTable } from './host-table.ts';
import { normalisePath } from './path.ts';
import { createRouteTable } from './route-table.ts';
import type {
  ClientAuth,
  Endpoint,
  Host,
  IdentityHeaders,
  Limits,
  Listeners,
  Route,
  Snapshot,
  Timeouts,
  Upstream,
  UpstreamTls,
} from './snapshot.ts';

/** Contents (PEM) of the files that a configuration names, by the path as written there. */
export type Material = ReadonlyMap<string, string>;

/** What keeps a configuration from becoming a snapshot, and where: a JSON pointer into the configuration. */
export interface CompileProblem {
  readonly path: string;
  readonly message: string;
}

export type CompileResult =
  | { readonly ok: true; readonly snapshot: Snapshot }
  | { readonly ok: false; readonly problems: readonly CompileProblem[] };

/**
 * Turns a configuration and its files into a frozen Snapshot. Pure. Whatever the loader has checked already
 * is checked here again where leaving it out would open something: a snapshot exists only if every host that
 * wants client certificates has a trust store, and every policy compiled (rule 1).
 */
export function compile(config: Config, material: Material): CompileResult {
  const compiler = new Compiler(material);
  const snapshot = compiler.snapshot(config);
  return compiler.problems.length === 0
    ? { ok: true, snapshot }
    : { ok: false, problems: Object.freeze(compiler.problems) };
}

class Compiler {
  readonly problems: CompileProblem[] = [];
  readonly #material: Material;

  constructor(material: Material) {
    this.#material = material;
  }

  snapshot(config: Config): Snapshot {
    const upstreams = new Map<string, Upstream>();
    for (const [name, upstream] of Object.entries(config.upstreams)) {
      upstreams.set(name, this.#upstream(name, upstream, pointer('upstreams', name)));
    }
    const hosts = config.hosts.map((host, index) => this.#host(host, upstreams, pointer('hosts', index)));
    const names = new Set<string>();
    for (const [index, host] of hosts.entries()) {
      for (const name of host.names) {
        if (names.has(name))
          this.#problem(pointer('hosts', index, 'names'), `${name} belongs to another host`);
        names.add(name);
      }
    }
    const preset = config.tls?.preset ?? defaults.tlsPreset;
    const defaultHost = this.#defaultHost(config.tls?.defaultHost, hosts);
    return Object.freeze({
      version: digest(JSON.stringify(config), ...[...this.#material].flat()),
      listeners: listeners(config),
      minVersion: config.tls?.minVersion ?? tlsPresets[preset].minVersion,
      sessionTickets: config.tls?.sessionTickets ?? defaults.sessionTickets,
      hosts: createHostTable(hosts),
      defaultHost,
      standIn: Object.freeze({
        unknown: config.tls?.unknownServerName ?? defaults.unknownServerName,
        absent: config.tls?.absentServerName ?? defaults.absentServerName,
      }),
      upstreams,
      identityHeaderNames: identityHeaderNames(hosts),
      limits: limits(config),
      crypto: Object.freeze({
        ciphers: Object.freeze([...(config.tls?.ciphers ?? tlsPresets[preset].ciphers)]),
        groups: frozenList(config.tls?.groups),
        signatureAlgorithms: frozenList(config.tls?.signatureAlgorithms),
      }),
      shutdown: Object.freeze({
        delayMs: duration(config.shutdown?.delay, defaults.shutdown.delayMs),
        graceMs: duration(config.shutdown?.grace, defaults.shutdown.graceMs),
      }),
      accessLog: config.accessLog ?? defaults.accessLog,
    });
  }

  #host(config: HostConfig, upstreams: ReadonlyMap<string, Upstream>, path: string): Host {
    const names = config.names.map((name, index) => this.#name(name, `${path}/names/${index}`));
    const id = names[0] ?? '';
    const clientAuth = this.#clientAuth(config.clientAuth, `${path}/clientAuth`);
    const policy = this.#policy(config.policy, `${path}/policy`);
    const routes = config.routes.map((route, index) =>
      this.#route(route, config, id, upstreams, `${path}/routes/${index}`),
    );
    const judgesPaths = policy !== null || routes.some((route) => route.policy !== null);
    if (judgesPaths && clientAuth.mode === 'off') {
      this.#problem(path, 'a policy cannot hold while client certificates are off: set clientAuth.mode');
    }
    return Object.freeze({
      id,
      names: Object.freeze(names),
      certificate: Object.freeze({
        cert: this.#file(config.certificate.cert, `${path}/certificate/cert`),
        key: this.#file(config.certificate.key, `${path}/certificate/key`),
      }),
      clientAuth,
      policy,
      routes: createRouteTable(routes),
      judgesPaths,
    });
  }

  #defaultHost(name: string | undefined, hosts: readonly Host[]): Host {
    if (name === undefined) return strictest(hosts);
    const path = '/tls/defaultHost';
    const normal = this.#name(name, path);
    const host = hosts.find(({ names }) => names.includes(normal));
    if (host === undefined) this.#problem(path, `no host has the name ${name}`);
    return host ?? strictest(hosts);
  }

  #name(name: string, path: string): string {
    const wildcard = name.startsWith('*.');
    const normal = normaliseHostName(wildcard ? name.slice(2) : name);
    if (normal === null) {
      this.#problem(path, `${name} is no host name, IP address or *.name with one wildcard label`);
      return name;
    }
    return wildcard ? `*.${normal}` : normal;
  }

  #clientAuth(config: HostConfig['clientAuth'], path: string): ClientAuth {
    const mode = config?.mode ?? 'off';
    if (config === undefined || mode === 'off') {
      return Object.freeze({ mode: 'off', strict: false, ca: null, crl: null, verifyDepth: 0, key: null });
    }
    const strict = config.strict ?? false;
    const verifyDepth = config.verifyDepth ?? defaults.verifyDepth;
    // Node would fall back to the public CAs of the web if it were given none.
    if (config.ca === undefined) this.#problem(path, `mode ${mode} needs a ca: the file of CAs to trust`);
    if (strict && mode !== 'require') this.#problem(`${path}/strict`, 'strict needs mode require');
    const ca = config.ca === undefined ? '' : this.#file(config.ca, `${path}/ca`);
    const crl = config.crl === undefined ? null : this.#file(config.crl, `${path}/crl`);
    const key = digest(mode, String(strict), String(verifyDepth), ca, crl === null ? 'none' : `crl ${crl}`);
    return Object.freeze({ mode, strict, ca, crl, verifyDepth, key });
  }

  #route(
    config: RouteConfig,
    host: HostConfig,
    hostId: string,
    upstreams: ReadonlyMap<string, Upstream>,
    path: string,
  ): Route {
    const pathType = config.pathType ?? defaults.pathType;
    const normal = normalisePath(config.path);
    if (normal === null || normal.path !== config.path) {
      this.#problem(`${path}/path`, `write the path as it is matched: ${normal?.path ?? 'it leads nowhere'}`);
    }
    if (!upstreams.has(config.upstream))
      this.#problem(`${path}/upstream`, `there is no upstream ${config.upstream}`);
    return Object.freeze({
      id: `${hostId} ${pathType} ${config.path}`,
      hostId,
      path: config.path,
      pathType,
      policy: this.#policy(config.policy, `${path}/policy`),
      upstream: config.upstream,
      identityHeaders: this.#identityHeaders({ ...host.identityHeaders, ...config.identityHeaders }, path),
      timeouts: timeouts(config.timeouts),
      bodyLimit: config.bodyLimit === undefined ? defaults.bodyLimit : parseSize(config.bodyLimit),
      upgrade: Object.freeze((config.upgrade ?? defaults.upgrade).map((token) => token.toLowerCase())),
    });
  }

  #identityHeaders(config: NonNullable<RouteConfig['identityHeaders']>, path: string): IdentityHeaders {
    const templates = new Map(Object.entries(config.templates ?? {}));
    for (const { name, problem } of checkTemplates(templates)) {
      this.#problem(path + pointer('identityHeaders', 'templates', name), problem);
    }
    return Object.freeze({
      dialects: Object.freeze([...(config.dialects ?? defaults.dialects)]),
      certificate: config.certificate ?? false,
      templates,
    });
  }

  #policy(config: HostConfig['policy'], path: string): Policy | null {
    if (config === undefined) return null;
    const result = compilePolicy(config, path);
    if ('policy' in result) return result.policy;
    this.problems.push(...result.problems);
    return denyAll;
  }

  #upstream(name: string, config: UpstreamConfig, path: string): Upstream {
    const upstream = {
      name,
      endpoints: Object.freeze(config.endpoints.map((text) => endpoint(text))),
      balance: config.balance ?? defaults.balance,
      tls: config.tls === undefined ? null : this.#upstreamTls(config.tls, `${path}/tls`),
      health:
        config.health === undefined
          ? null
          : Object.freeze({
              path: config.health.path,
              host: config.health.host ?? null,
              intervalMs: duration(config.health.interval, defaults.health.intervalMs),
              timeoutMs: duration(config.health.timeout, defaults.health.timeoutMs),
              healthyAfter: config.health.healthyAfter ?? defaults.health.healthyAfter,
              unhealthyAfter: config.health.unhealthyAfter ?? defaults.health.unhealthyAfter,
            }),
      ejection: Object.freeze({
        failures: config.ejection?.failures ?? defaults.ejection.failures,
        durationMs: duration(config.ejection?.duration, defaults.ejection.durationMs),
        maxDurationMs: duration(config.ejection?.maxDuration, defaults.ejection.maxDurationMs),
      }),
      tries: config.tries ?? defaults.tries,
      keepAlive: Object.freeze({
        connections: config.keepAlive?.connections ?? defaults.upstreamKeepAlive.connections,
        timeoutMs: duration(config.keepAlive?.timeout, defaults.upstreamKeepAlive.timeoutMs),
      }),
    } as const;
    return Object.freeze({ ...upstream, key: digest(JSON.stringify(upstream)) });
  }

  #upstreamTls(config: NonNullable<UpstreamConfig['tls']>, path: string): UpstreamTls {
    if ((config.cert === undefined) !== (config.key === undefined)) {
      this.#problem(path, 'a client certificate needs both cert and key');
    }
    const file = (name: 'ca' | 'cert' | 'key'): string | null =>
      config[name] === undefined ? null : this.#file(config[name], `${path}/${name}`);
    return Object.freeze({
      verify: config.dangerouslySkipVerification !== true,
      ca: file('ca'),
      serverName: config.serverName ?? null,
      cert: file('cert'),
      key: file('key'),
    });
  }

  #file(name: string, path: string): string {
    const content = this.#material.get(name);
    if (content === undefined || content.trim() === '') {
      this.#problem(path, `${name} is ${content === undefined ? 'not there' : 'empty'}`);
      return '';
    }
    return content;
  }

  #problem(path: string, message: string): void {
    this.problems.push(Object.freeze({ path, message }));
  }
}

/** Stands for a policy that did not compile; the snapshot that holds it is never handed out. */
const denyAll: Policy = Object.freeze({ kind: 'any', parts: Object.freeze([]) });

/** Require before optional before off, strict first; the first of equals. */
function strictest(hosts: readonly Host[]): Host {
  const rank = ({ clientAuth: { mode, strict } }: Host): number =>
    strict ? 0 : { require: 1, optional: 2, optional_no_ca: 3, off: 4 }[mode];
  return hosts.reduce((best, host) => (rank(host) < rank(best) ? host : best));
}

function listeners(config: Config): Listeners {
  const { https, http, admin } = config.listeners;
  return Object.freeze({
    https: Object.freeze({ address: https.address ?? defaults.address, port: https.port }),
    http:
      http === undefined
        ? null
        : Object.freeze({
            address: http.address ?? defaults.address,
            port: http.port,
            redirectPort: http.redirectPort ?? null,
          }),
    admin: Object.freeze({
      address: admin?.address ?? defaults.admin.address,
      port: admin?.port ?? defaults.admin.port,
    }),
  });
}

function limits(config: Config): Limits {
  const given = config.limits ?? {};
  return Object.freeze({
    handshakeTimeoutMs: duration(given.handshakeTimeout, defaults.limits.handshakeTimeoutMs),
    handshakes: given.handshakes ?? defaults.limits.handshakes,
    handshakesPerAddress: given.handshakesPerAddress ?? defaults.limits.handshakesPerAddress,
    connections: given.connections ?? defaults.limits.connections,
    connectionsPerAddress: given.connectionsPerAddress ?? defaults.limits.connectionsPerAddress,
    headSize: given.headSize === undefined ? defaults.limits.headSize : parseSize(given.headSize),
    headerCount: given.headerCount ?? defaults.limits.headerCount,
    headTimeoutMs: duration(given.headTimeout, defaults.limits.headTimeoutMs),
    bodyTimeoutMs: duration(given.bodyTimeout, defaults.limits.bodyTimeoutMs),
    keepAliveTimeoutMs: duration(given.keepAliveTimeout, defaults.limits.keepAliveTimeoutMs),
    keepAliveRequests: given.keepAliveRequests ?? defaults.limits.keepAliveRequests,
  });
}

function timeouts(config: RouteConfig['timeouts']): Timeouts {
  return Object.freeze({
    connectMs: duration(config?.connect, defaults.timeouts.connectMs),
    sendMs: duration(config?.send, defaults.timeouts.sendMs),
    readMs: duration(config?.read, defaults.timeouts.readMs),
  });
}

/** Rule 4: the names of all dialects, and of every template anywhere in the configuration. */
function identityHeaderNames(hosts: readonly Host[]): ReadonlySet<string> {
  return identityHeaderNamesOf(
    hosts.flatMap((host) => host.routes.all.map((route) => route.identityHeaders)),
  );
}

function endpoint(text: string): Endpoint {
  const colon = text.lastIndexOf(':');
  const bracketed = text.slice(0, colon);
  const address = bracketed.startsWith('[') ? bracketed.slice(1, -1) : bracketed;
  return Object.freeze({ address, port: Number(text.slice(colon + 1)), name: text });
}

function frozenList(names: readonly string[] | undefined): readonly string[] | null {
  return names === undefined ? null : Object.freeze([...names]);
}

function duration(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : parseDuration(text);
}

/** SHA-256 over the parts, each with its length, so that no two lists of parts run together. */
function digest(...parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return hash.digest('hex');
}
