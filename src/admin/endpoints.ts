import { explainEndpoint } from '../explain/endpoint.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Denials } from '../observe/denials/ring.ts';
import { json, text, type WholeAnswer } from './answer.ts';
import { denyListEndpoint } from './deny-list.ts';
import { answerDenials } from './denials.ts';
import { answerIdentities, answerRotation } from './identities.ts';
import type { Seen } from '../observe/inventory/seen.ts';
import type { Endpoint } from './endpoint.ts';
import type { PageFacts } from './page/facts.ts';
import { LivePage } from './page/live.ts';
import { statusPage } from './page/page.ts';

/** Whether the program takes traffic, where not, why, and where so, what there is to know. */
export type Readiness =
  { readonly ready: true; readonly note?: string } | { readonly ready: false; readonly reason: string };

/** What the endpoints show and do, as functions: they know nothing of the proxy. */
export interface AdminParts {
  /** The metrics page, in Prometheus's text format 0.0.4. */
  readonly metrics: () => Promise<string>;
  readonly ready: () => Readiness;
  /** Anything that JSON can say. */
  readonly status: () => Readonly<Record<string, unknown>>;
  /** What is in force now, to be asked. */
  readonly snapshot: () => Snapshot;
  /** Who was turned away, of all worker processes. */
  readonly denials: Denials;
  /** Who sent requests, to all worker processes. */
  readonly identities: () => Promise<Seen>;
  /** All that the status page shows. */
  readonly page: () => Promise<PageFacts>;
  /** Loads the configuration anew; gives what kept it from being taken over, a line each. */
  readonly reload: () => Promise<readonly string[]>;
  /** The file of the deny list in force; null: there is none, or it is no file. */
  readonly denyListFile: () => string | null;
  /** Begins to drain; the program ends behind it. */
  readonly drain: () => void;
}

/** Every endpoint of the admin listener. A new one is a line here, and its part in AdminParts. */
export function endpointsOf(parts: AdminParts): readonly Endpoint[] {
  const live = new LivePage(parts.page);
  const once = oneAtATime(() => parts.reload());
  return [
    {
      method: 'GET',
      path: '/',
      permission: 'reading',
      handle: async () => statusPage(await parts.page()),
    },
    { method: 'GET', path: '/events', permission: 'reading', handle: () => live.follow() },
    { method: 'GET', path: '/healthz', permission: 'probe', handle: () => text(200, 'ok') },
    { method: 'GET', path: '/readyz', permission: 'probe', handle: () => readiness(parts.ready()) },
    { method: 'GET', path: '/metrics', permission: 'reading', handle: () => metricsPage(parts) },
    { method: 'GET', path: '/status', permission: 'reading', handle: () => json(200, parts.status()) },
    explainEndpoint(() => parts.snapshot()),
    {
      method: 'GET',
      path: '/denials',
      permission: 'reading',
      handle: (call) => answerDenials(parts.denials, call),
    },
    {
      method: 'GET',
      path: '/identities',
      permission: 'reading',
      handle: async (call) => answerIdentities(await parts.identities(), call),
    },
    {
      method: 'GET',
      path: '/rotation',
      permission: 'reading',
      handle: async (call) => answerRotation(await parts.identities(), parts.snapshot(), call),
    },
    denyListEndpoint({ ...parts, reload: once }),
    { method: 'POST', path: '/reload', permission: 'changing', handle: async () => reloaded(await once()) },
    { method: 'POST', path: '/drain', permission: 'changing', handle: () => drain(parts) },
  ];
}

async function metricsPage({ metrics }: AdminParts): Promise<WholeAnswer> {
  return { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: await metrics() };
}

function readiness(state: Readiness): WholeAnswer {
  return state.ready
    ? text(200, state.note === undefined ? 'ready' : `ready: ${state.note}`)
    : text(503, `not ready: ${state.reason}`);
}

function reloaded(problems: readonly string[]): WholeAnswer {
  return problems.length === 0
    ? json(200, { result: 'success' })
    : json(409, { result: 'failure', problems: problems.slice(0, 100) });
}

function drain(parts: AdminParts): WholeAnswer {
  parts.drain();
  return { ...json(202, { result: 'draining' }), close: true };
}

/**
 * Whoever asks while one is under way gets the answer of one more that begins behind it, together with all others who
 * ask meanwhile: what was changed before they asked is in it, and no queue grows.
 */
function oneAtATime<Result>(make: () => Promise<Result>): () => Promise<Result> {
  let running: Promise<Result> | null = null;
  let next: Promise<Result> | null = null;
  const begin = (): Promise<Result> => {
    const one = make().finally(() => {
      if (running === one) running = null;
    });
    running = one;
    return one;
  };
  return () => {
    if (running === null) return begin();
    next ??= running
      .then(
        () => {},
        () => {},
      )
      .then(() => {
        next = null;
        return begin();
      });
    return next;
  };
}
