import { defaults } from '../config/defaults.ts';
import { pointer } from '../config/problem.ts';
import type { Config } from '../config/schema.ts';
import { tlsPresets } from '../config/tls-presets.ts';
import { parseSize } from '../config/units.ts';
import { identityHeaderNamesOf } from '../proxy/headers/names.ts';
import { CompileContext, digest, type CompileProblem, type Material } from './compile/context.ts';
import { compileRanges } from './compile/access.ts';
import { compileDefaultHost } from './compile/default-host.ts';
import { compileDenyListFile } from './compile/deny-list.ts';
import { duration } from './compile/duration.ts';
import { compileHost } from './compile/host.ts';
import { compileLimits } from './compile/limits.ts';
import { compileListeners } from './compile/listeners.ts';
import { PartMemory } from './compile/memory.ts';
import { compileUpstream } from './compile/upstream.ts';
import { finish, type Steps } from '../steps.ts';
import { createHostTable } from './host-table.ts';
import type { AdminListener, Host, Snapshot, Upstream } from './snapshot.ts';

export type { CompileProblem, Material } from './compile/context.ts';

export type CompileResult =
  | { readonly ok: true; readonly snapshot: Snapshot }
  | { readonly ok: false; readonly problems: readonly CompileProblem[] };

/**
 * What one compilation leaves for the next of the same source. Without it everything is compiled anew; the snapshot is
 * the same either way.
 */
export class CompileMemory {
  readonly hosts = new PartMemory<Host>();
  readonly upstreams = new PartMemory<Upstream>();
}

/**
 * Turns a configuration and its files into a frozen Snapshot. Pure but for the memory. Whatever the loader has checked already
 * is checked here again where leaving it out would open something: a snapshot exists only if every host that
 * wants client certificates has a trust store, and every policy compiled (rule 1).
 */
export function compile(
  config: Config,
  material: Material,
  memory: CompileMemory = new CompileMemory(),
): CompileResult {
  return finish(compileSteps(config, material, memory));
}

/** `compile`, step by step. One at a time with one memory. */
export function* compileSteps(
  config: Config,
  material: Material,
  memory: CompileMemory,
): Steps<CompileResult> {
  const context = new CompileContext(material);
  memory.hosts.begin();
  memory.upstreams.begin();
  const snapshot = yield* snapshotOf(context, config, material, memory);
  if (context.problems.length === 0) {
    memory.hosts.commit();
    memory.upstreams.commit();
  }
  return context.problems.length === 0
    ? { ok: true, snapshot }
    : { ok: false, problems: Object.freeze(context.problems) };
}

function* snapshotOf(
  context: CompileContext,
  config: Config,
  material: Material,
  memory: CompileMemory,
): Steps<Snapshot> {
  const upstreams = new Map<string, Upstream>();
  const digests: string[] = [];
  for (const [name, upstream] of Object.entries(config.upstreams)) {
    const compiled = memory.upstreams.part(context, material, {
      name,
      config: upstream,
      upstreams,
      digest: digestOf,
      make: () => compileUpstream(context, name, upstream, pointer('upstreams', name)),
    });
    upstreams.set(name, compiled.part);
    digests.push(name, compiled.digest);
    yield;
  }
  const hosts: Host[] = [];
  for (const [index, host] of config.hosts.entries()) {
    const compiled = memory.hosts.part(context, material, {
      name: host.names[0] ?? '',
      config: host,
      upstreams,
      digest: digestOf,
      make: () => compileHost(context, host, upstreams, pointer('hosts', index)),
    });
    digests.push(compiled.digest);
    hosts.push(compiled.part);
    yield;
  }
  const names = new Set<string>();
  for (const [index, host] of hosts.entries()) {
    for (const name of host.names) {
      if (names.has(name))
        context.problem(pointer('hosts', index, 'names'), `${name} belongs to another host`);
      names.add(name);
    }
  }
  const preset = config.tls?.preset ?? defaults.tlsPreset;
  const defaultHost = compileDefaultHost(context, config.tls?.defaultHost, hosts);
  const listeners = compileListeners(context, config);
  return Object.freeze({
    version: digest(
      JSON.stringify({ ...config, hosts: [], upstreams: {} }),
      ...digests,
      material.get(config.denyList ?? '') ?? '',
      ...adminDigests(listeners.admin),
    ),
    listeners,
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
    forwarded: Object.freeze({
      trust:
        config.forwarded === undefined
          ? null
          : compileRanges(context, config.forwarded.trust, '/forwarded/trust'),
      append: config.forwarded?.append ?? false,
    }),
    limits: compileLimits(config),
    crypto: Object.freeze({
      ciphers: Object.freeze([...(config.tls?.ciphers ?? tlsPresets[preset].ciphers)]),
      groups: frozenList(config.tls?.groups),
      signatureAlgorithms: frozenList(config.tls?.signatureAlgorithms),
    }),
    onTrustEnd: config.onTrustEnd ?? defaults.onTrustEnd,
    shutdown: Object.freeze({
      delayMs: duration(config.shutdown?.delay, defaults.shutdown.delayMs),
      graceMs: duration(config.shutdown?.grace, defaults.shutdown.graceMs),
    }),
    denyList: compileDenyListFile(context, config.denyList),
    accessLog: config.accessLog ?? defaults.accessLog,
    ingressNginxNames: config.metrics?.ingressNginxNames ?? defaults.ingressNginxNames,
    expressLane: config.expressLane ?? defaults.expressLane,
    denials: Object.freeze({
      keep: config.denials?.keep ?? defaults.denials.keep,
      bytes: config.denials?.size === undefined ? defaults.denials.bytes : parseSize(config.denials.size),
    }),
    inventory: Object.freeze({
      keep: config.inventory?.keep ?? defaults.inventory.keep,
      file: config.inventory?.file ?? null,
    }),
    workers: config.workers ?? defaults.workers,
  });
}

function digestOf(text: string, missing: string, files: ReadonlyMap<string, string>): string {
  return digest(text, missing, ...[...files].flat());
}

/** What the admin listener's files hold. */
function adminDigests({ access: { reading, changing }, host }: AdminListener): string[] {
  const tokens = [reading, changing].flatMap((grant) =>
    typeof grant === 'object' ? grant.tokens.map((token) => token.digest.toString('hex')) : [],
  );
  return host === null
    ? tokens
    : [...tokens, host.certificate.cert, host.certificate.key, host.clientAuth.handshakeKey ?? ''];
}

const dialectNames = identityHeaderNamesOf([]);
const namesOfHosts = new WeakMap<Host, readonly string[]>();

/** Rule 4: the names of all dialects, and of every template anywhere in the configuration. */
function identityHeaderNames(hosts: readonly Host[]): ReadonlySet<string> {
  return new Set([...dialectNames, ...hosts.flatMap(ownNames)]);
}

/** The names of a host's templates that no dialect has; worked out once. */
function ownNames(host: Host): readonly string[] {
  let names = namesOfHosts.get(host);
  if (names === undefined) {
    const all = identityHeaderNamesOf(host.routes.all.map((route) => route.identityHeaders));
    namesOfHosts.set(host, (names = [...all].filter((name) => !dialectNames.has(name))));
  }
  return names;
}

function frozenList(names: readonly string[] | undefined): readonly string[] | null {
  return names === undefined ? null : Object.freeze([...names]);
}
