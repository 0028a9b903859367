import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { App } from '../../src/app.ts';
import { createManifestSource } from '../../src/ingress/manifest-source.ts';
import type { Ingress } from '../../src/ingress/object.ts';
import { parseManifest } from '../../src/ingress/parse-manifest.ts';
import { readManifestFlags } from '../../src/ingress/serve-options.ts';
import { createObservability } from '../../src/observe/observe.ts';
import { freePort } from '../support/free-port.ts';
import { type Compared, playAll } from './difference.ts';
import type { Files } from './hosts.ts';
import type { KubernetesJson } from './ingress-manifests.ts';
import { writeIngressConfig } from './nginx-template.ts';
import type { Case } from './observe.ts';
import { startNginx } from './sides.ts';
import type { Surroundings } from './surroundings.ts';

export interface IngressWorld {
  readonly objects: readonly KubernetesJson[];
  /** `server.pem` and `server.key`, and what `secrets` names. */
  readonly files: Files;
  /** Endpoints by Service, `namespace/name`. */
  readonly services: Surroundings['services'];
  /** Files of Secrets, by `namespace/name` and the key in it. */
  readonly secrets?: Surroundings['secrets'];
  /** The controller's ConfigMap. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Other ConfigMaps, by `namespace/name`. */
  readonly configMaps?: Surroundings['configMaps'];
  /** Targets of requests that a sign-in leads back to. */
  readonly targets?: readonly string[];
  /** Further flags of ours. */
  readonly flags?: { readonly 'default-backend-service': string };
}

export interface Ports {
  readonly http: number;
  readonly https: number;
}

export interface IngressSides {
  readonly nginx: Ports;
  readonly ours: Ports;
  /** Plays each case to both, the plain ones over HTTP. */
  play(cases: readonly Case[]): Promise<Compared[]>;
}

/** One request, over plain HTTP and over TLS. */
export function bothWays(
  host: string,
  target: string,
  headers: readonly string[] = [],
  { method = 'GET', body = '' }: { readonly method?: string; readonly body?: string } = {},
): Case[] {
  const head = [`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...headers];
  return (['http', 'https'] as const).map((scheme) => ({
    title: [`${method} ${scheme}://${host}${target}`, ...headers].join(', '),
    ...(scheme === 'http' ? { plain: true as const } : { serverName: host }),
    bytes: `${head.join('\r\n')}\r\n\r\n${body}`,
  }));
}

/** nginx with the Ingresses as ingress-nginx renders them, and our program with the same as manifests. */
export async function startIngressSides(t: Test, world: IngressWorld): Promise<IngressSides> {
  const { services, secrets = {}, settings = {}, configMaps = {}, targets = [] } = world;
  const maps = { ...configMaps, 'ingress-nginx/ingress-nginx-controller': settings };
  const text = JSON.stringify({
    apiVersion: 'v1',
    kind: 'List',
    items: [
      ...world.objects,
      ...Object.entries(maps).map(([key, data]) => ({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { namespace: key.split('/')[0], name: key.split('/')[1] },
        data,
      })),
    ],
  });
  const parsed = parseManifest('all.json', { text, line: 1 });
  if ('syntax' in parsed) throw new Error(JSON.stringify(parsed.syntax));
  const ingresses = parsed.objects.filter((object): object is Ingress => object.kind === 'Ingress');
  const nginx = await startNginx(t, 2, (dir, [http = 0, https = 0]) =>
    writeIngressConfig(dir, ingresses, world.files, {
      services,
      http,
      https,
      secrets,
      settings,
      configMaps,
      targets,
      defaultBackend: world.flags?.['default-backend-service'] ?? null,
    }),
  );
  const flags = readManifestFlags({
    'watch-ingress-without-class': true,
    resolve: Object.entries(services).map(([name, endpoints]) => `${name}=${endpoints.join(',')}`),
    address: '127.0.0.1',
    // Known beforehand: redirects name it.
    'https-port': String(await freePort()),
    'http-port': '0',
    'admin-port': '0',
    ...world.flags,
  });
  if ('fault' in flags) throw new Error(flags.fault);
  // Not another testdir: nginx's would be gone.
  const folder = mkdtempSync(join(tmpdir(), 'ingress-differential-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'all.json'), text);
  const app = new App(
    createManifestSource(folder, flags),
    createObservability({ destination: { write: () => {} } }),
  );
  t.teardown(() => app.stop());
  const addresses = await app.start();
  const ports = {
    nginx: { http: nginx[0]!, https: nginx[1]! },
    ours: { http: addresses.http!.port, https: addresses.https.port },
  };
  return {
    ...ports,
    async play(cases) {
      const compared: Compared[] = [];
      for (const scheme of ['http', 'https'] as const) {
        const those = cases.filter(({ plain }) => (plain === true) === (scheme === 'http'));
        compared.push(...(await playAll(those, { nginx: ports.nginx[scheme], ours: ports.ours[scheme] })));
      }
      return compared.map((one) => withoutPorts(withoutRandom(one), ports));
    },
  };
}

/** Each listens on ports of its own, and says so: a redirect to ours reads as one to 443, where a controller listens. */
function withoutPorts(
  one: Compared,
  { nginx: theirs, ours: own }: { readonly nginx: Ports; readonly ours: Ports },
): Compared {
  const divergences = one.divergences.flatMap((divergence) => {
    const { fact, nginx, ours } = divergence;
    const isPort = fact === 'header x-forwarded-port' && nginx === String(theirs.http);
    if (isPort && ours === String(own.http)) return [];
    if (fact !== 'answer location') return [divergence];
    const told = ours?.replace(`:${own.https}`, '') ?? null;
    return told === nginx ? [] : [{ ...divergence, ours: told }];
  });
  return { ...one, divergences };
}

/** The value of an affinity cookie is each side's own: the endpoint's key, or what stands for it in the template. */
function withoutRandom(one: Compared): Compared {
  const divergences = one.divergences.flatMap((divergence) => {
    if (divergence.fact !== 'answer set-cookie') return [divergence];
    const ours = divergence.ours?.replace(/=[0-9a-f]{32}\.[0-9a-f]{16}(?=;|$)/, '=generated') ?? null;
    const shown = ours?.replace(/(?<=; Expires=)[^;]+ GMT(?=;|$)/, 'generated') ?? null;
    return shown === divergence.nginx ? [] : [{ ...divergence, ours: shown }];
  });
  return { ...one, divergences };
}
