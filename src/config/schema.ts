import { Type, type Static } from 'typebox';
import { Denials } from './schema/denials.ts';
import { Inventory } from './schema/inventory.ts';
import { Forwarded } from './schema/forwarded.ts';
import { Host } from './schema/host.ts';
import { Limits } from './schema/limits.ts';
import { Listeners } from './schema/listener.ts';
import { PolicySchema } from './schema/policy.ts';
import { Tls } from './schema/tls.ts';
import { Upstream } from './schema/upstream.ts';
import { Duration, record, strict } from './schema/value.ts';

export { ClientAuthMode } from './schema/client-auth.ts';
export { Dialect } from './schema/identity-headers.ts';
export { Matcher, ValueMatcher, type PolicyConfig } from './schema/policy.ts';
export { PathType, PlainHttp } from './schema/route.ts';
export { StandIn } from './schema/tls.ts';
export { Duration, Size } from './schema/value.ts';

/**
 * The native configuration, declared once: the TypeScript types, the JSON Schema in
 * `config/mtls-ingress.schema.json` and the checks of `mtls-ingress check` all come from here and from the
 * parts in `schema/`. Numbers default to ingress-nginx's (nginx's where it has none); see `defaults.ts`.
 */
const ConfigSchema = Type.Object(
  {
    listeners: Listeners,
    include: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        description:
          'Files with more `hosts` and `upstreams`, relative to this one: paths, of which the last part may hold *. The paths in them are relative to this file too.',
      }),
    ),
    tls: Type.Optional(Tls),
    hosts: Type.Array(Host, { minItems: 1 }),
    upstreams: record(
      {
        pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$',
        description: 'a name of letters, digits, ., _ and -, at most 128 of them',
      },
      Upstream,
    ),
    forwarded: Type.Optional(Forwarded),
    limits: Type.Optional(Limits),
    shutdown: Type.Optional(
      Type.Object({ delay: Type.Optional(Duration), grace: Type.Optional(Duration) }, strict),
    ),
    denyList: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'A YAML file, relative to the configuration file: a list of client certificates that are refused at once.',
      }),
    ),
    onTrustEnd: Type.Optional(
      Type.Union([Type.Literal('next_request'), Type.Literal('close')], {
        description:
          'What a reload does with open connections whose client is no longer trusted. next_request: their next request is refused (default). close: they are closed, behind the answer that is under way. Tunnels end in any case.',
      }),
    ),
    metrics: Type.Optional(
      Type.Object(
        {
          ingressNginxNames: Type.Optional(
            Type.Boolean({
              description:
                'The metrics page has the metrics of ingress-nginx too, under its names, so that its dashboards live on: docs/metrics.md. Default false.',
            }),
          ),
        },
        strict,
      ),
    ),
    accessLog: Type.Optional(Type.Boolean()),
    expressLane: Type.Optional(
      Type.Boolean({
        description:
          'Plain HTTP/1.1 requests are taken straight off the socket. Default true; false sends every request through the full lane, which answers alike and costs more CPU.',
      }),
    ),
    denials: Type.Optional(Denials),
    inventory: Type.Optional(Inventory),
    workers: Type.Optional(
      Type.Union([Type.Literal('auto'), Type.Integer({ minimum: 1, maximum: 256 })], {
        description:
          'Worker processes behind one set of ports. auto: one for each core. Default 1. Read when the program starts.',
      }),
    ),
  },
  strict,
);

/** The native configuration as written, after it fits the schema. Paths are still relative. */
export type Config = Static<typeof ConfigSchema>;
export type HostConfig = Config['hosts'][number];
export type RouteConfig = HostConfig['routes'][number];
export type UpstreamConfig = Config['upstreams'][string];

const schemas = Type.Module({ Policy: PolicySchema, Config: ConfigSchema });

/** The schema itself: for checking a parsed file, and for writing the JSON Schema. */
export const Config = schemas.Config;
export const Policy = schemas.Policy;
