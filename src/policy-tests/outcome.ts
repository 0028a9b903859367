import type { Report } from '../explain/report.ts';
import type { ExplainedDecision } from '../snapshot/explain/explanation.ts';
import { answers, handshakeFailures, isDenial, isWelcome } from '../snapshot/reason.ts';
import type { Expectation } from './schema.ts';

/** Reasons of answers that turn nobody away. */
export const answeringReasons: ReadonlySet<string> = new Set(Object.keys(answers).filter(isWelcome));

/** Why a client is turned away, by an answer or in the handshake. */
export const denyingReasons: ReadonlySet<string> = new Set([
  ...Object.keys(answers).filter(isDenial),
  ...handshakeFailures,
]);

/** What became of a request, in the words of expectations. */
export interface Outcome {
  /** `allow (website)`, `deny: policy_ou (403)`, `answer: route_redirect (302)`, `report: policy_ou, allow (website)`. */
  readonly text: string;
  /** For the operator: what was seen and what was wanted; null where there is nothing to say. */
  readonly detail: string | null;
}

/** Whether a report is what was expected; null: it is. */
export function missOf(expect: Expectation, report: Report): Outcome | null {
  return matches(expect, report) ? null : outcomeOf(report);
}

/** What was expected, in the words of outcomes. */
export function expectationText(expect: Expectation): string {
  if (expect === 'allow') return 'allow';
  if ('allow' in expect) return `allow (${expect.allow})`;
  if ('report' in expect) return `report: ${expect.report}`;
  const [kind, reason] = 'deny' in expect ? ['deny', expect.deny] : ['answer', expect.answer];
  return `${kind}: ${reason}${expect.status === undefined ? '' : ` (${expect.status})`}`;
}

/** What is only let through because a check reports is not allowed: it is reported. */
function matches(expect: Expectation, report: Report): boolean {
  const { decision } = report;
  const wouldDeny = decision.action === 'end_handshake' ? null : decision.wouldDeny;
  if (typeof expect === 'object' && 'report' in expect) return wouldDeny?.reason === expect.report;
  if (wouldDeny !== null) return false;
  if (expect === 'allow') return decision.action === 'forward';
  if ('allow' in expect) return decision.action === 'forward' && upstreamsOf(report).includes(expect.allow);
  if (decision.action === 'forward') return false;
  const reason = 'deny' in expect ? expect.deny : expect.answer;
  const status = decision.action === 'respond' ? decision.status : undefined;
  return decision.reason === reason && (expect.status === undefined || expect.status === status);
}

function outcomeOf(report: Report): Outcome {
  const { decision } = report;
  if (decision.action === 'end_handshake') {
    return { text: `deny: ${decision.reason} (the handshake is ended)`, detail: decision.detail };
  }
  const text = textOf(report, decision);
  const { wouldDeny } = decision;
  if (wouldDeny !== null) return { text: `report: ${wouldDeny.reason}, ${text}`, detail: wouldDeny.detail };
  return { text, detail: decision.action === 'respond' ? decision.detail : null };
}

function textOf(report: Report, decision: ExplainedDecision): string {
  if (decision.action === 'forward') return `allow (${upstreamsOf(report).join(', ')})`;
  const kind = isWelcome(decision.reason) ? 'answer' : 'deny';
  return `${kind}: ${decision.reason} (${decision.status})`;
}

/** Where it goes: one, or several where chance decides. */
function upstreamsOf({ request }: Report): readonly string[] {
  const upstream = request?.upstreamRequest ?? null;
  return upstream === null || 'problem' in upstream ? [] : upstream.destinations.map((one) => one.upstream);
}
