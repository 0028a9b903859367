import type { Respond } from './decision.ts';
import { answers, type RefusalReason } from './reason.ts';
import type { Host, Route } from './snapshot.ts';

/** What an answer of our own may have beside its reason. */
export interface RespondDetails {
  /** For the operator only. */
  readonly detail?: string | null;
  readonly location?: string | null;
  /** In place of the reason's own status: what a route says. */
  readonly status?: number;
  readonly headers?: readonly string[];
  readonly content?: Respond['content'];
}

/** Builds our own answer for a reason. The only place where a refusal gets its status. */
export function respond(
  reason: RefusalReason,
  host: Host | null,
  route: Route | null,
  details: string | null | RespondDetails = null,
): Respond {
  const answer = answers[reason];
  const given = typeof details === 'string' ? { detail: details } : (details ?? {});
  return {
    action: 'respond',
    reason,
    status: given.status ?? answer.status,
    host,
    route,
    location: given.location ?? null,
    headers: given.headers ?? [],
    content: given.content ?? null,
    close: 'close' in answer,
    detail: given.detail ?? null,
  };
}
