import { explainPolicy } from '../../policy/explain.ts';
import { evaluate } from '../../policy/evaluate.ts';
import type { Policy } from '../../policy/policy.ts';
import { chooseRequestId, clientRequestId } from '../../proxy/headers/request-id.ts';
import type { Framing, RequestHeadInput } from '../../proxy/request-head.ts';
import { readWholeHead } from '../../proxy/whole-head.ts';
import { shorten } from '../../observe/shorten.ts';
import type { Identity } from '../../tls/identity.ts';
import type { Connection } from '../connection.ts';
import { decide } from '../decide.ts';
import type { Decision, Respond } from '../decision.ts';
import { answers } from '../reason.ts';
import type { RequestHead } from '../request-head.ts';
import { respond } from '../respond.ts';
import type { Snapshot } from '../snapshot.ts';
import type { Check, Found, Trace } from '../trace.ts';
import type {
  ExplainedCheck,
  ExplainedDecision,
  ExplainedIdentity,
  ExplainedPolicy,
  ExplainedRequest,
  ExplainedWouldDeny,
  Explanation,
} from './explanation.ts';
import { notesOf } from './notes.ts';
import { explainHost, explainRoute, nameOfRoute } from './runners-up.ts';
import { explainTrust, explainVerdict, isoTime } from './trust.ts';
import { explainUpstreamRequest } from './upstream-request.ts';

/** A request as it would come over a connection. */
export type ExplainedInput = Omit<RequestHeadInput, 'limits'>;

export interface Explained {
  /** What `decide` said, or what a head was refused with before it. */
  readonly decision: Decision;
  readonly explanation: Explanation;
}

/** In place of the id that is drawn for each request. */
const requestId = '0'.repeat(32);

/**
 * Explains what becomes of a request, and why. Pure. It asks what the lanes ask, in their order, by the same functions
 * (`readWholeHead`, `decide`, `outboundHeadersOf`), and tells what these were told; nothing is decided a second time.
 *
 * @param now Milliseconds since 1970.
 */
export function explain(
  snapshot: Snapshot,
  connection: Connection,
  input: ExplainedInput,
  now: number,
): Explained {
  const read = readWholeHead(snapshot, connection.remoteAddress, input);
  if (!read.ok) {
    const decision = respond(read.reason, null, null, read.detail);
    return { decision, explanation: explanationOf(snapshot, connection, input, decision, now, null) };
  }
  const { head, framing } = read;
  const recorder = new Recorder();
  const decision = decide(snapshot, connection, head, now, recorder);
  const asked = { head, framing, recorder };
  return { decision, explanation: explanationOf(snapshot, connection, input, decision, now, asked) };
}

/** Keeps what it is told. */
class Recorder implements Trace {
  parts: Partial<Found> = {};
  readonly checks: ExplainedCheck[] = [];

  found(part: Partial<Found>): void {
    this.parts = { ...this.parts, ...part };
  }

  asked(check: Check, refusal: Decision | null): void {
    const refused = refusal?.action === 'respond' ? refusal : null;
    this.checks.push({
      check,
      passed: refused === null,
      reported: false,
      reason: refused?.reason ?? null,
      detail: cut(refused?.detail ?? null),
    });
  }

  reported(check: Check, { reason, detail }: Respond): void {
    this.checks.push({ check, passed: true, reported: true, reason, detail: cut(detail) });
  }
}

interface Asked {
  readonly head: RequestHead;
  readonly framing: Framing;
  readonly recorder: Recorder;
}

function explanationOf(
  snapshot: Snapshot,
  connection: Connection,
  input: ExplainedInput,
  decision: Decision,
  now: number,
  asked: Asked | null,
): Explanation {
  const { host, path, route, clientAuth, verdict } = asked?.recorder.parts ?? {};
  const { identity } = connection;
  const proven = verdict?.status === 'success' ? identity : null;
  const policies = [
    ...policyOf('host', host?.policy ?? null, identity, proven),
    ...policyOf('route', route?.policy ?? null, identity, proven),
  ];
  return {
    configuration: snapshot.version,
    time: isoTime(now),
    request: requestOf(input, asked),
    connection: {
      listener: connection.listener,
      address: shorten(connection.remoteAddress, 64),
      serverName: connection.serverName === null ? null : shorten(connection.serverName, 256),
      host: connection.hostId,
      serverNameMatched: connection.serverNameMatched,
      identity: identity === null ? null : explainIdentity(identity),
    },
    hosts: asked === null ? null : explainHost(snapshot.hosts.all, asked.head.host, host ?? null),
    routes:
      host === undefined || path === undefined || route === undefined
        ? null
        : explainRoute(host.routes.all, path.path, route),
    clientAuth:
      clientAuth === undefined || verdict === undefined
        ? null
        : {
            mode: clientAuth.mode,
            trust: clientAuth.trust === null ? null : explainTrust(clientAuth.trust, connection, now),
            verdict: explainVerdict(verdict),
          },
    policies,
    checks: asked?.recorder.checks ?? [],
    decision: explainDecision(decision),
    upstreamRequest:
      decision.action === 'respond' || asked === null
        ? null
        : explainUpstreamRequest(decision, asked.framing, {
            snapshot,
            connection,
            head: asked.head,
            rawHeaders: input.rawHeaders,
            requestId: chooseRequestId(clientRequestId(input.rawHeaders), requestId),
          }),
    notes: notesOf(decision, input.rawHeaders, asked?.framing ?? { kind: 'none' }, connection),
  };
}

function requestOf(input: ExplainedInput, asked: Asked | null): ExplainedRequest {
  const mark = input.target.indexOf('?');
  const { path: normal } = asked?.recorder.parts ?? {};
  const told = asked?.head.told;
  return {
    method: shorten(input.method, 32),
    authority: shorten(asked?.head.authority ?? '', 260),
    path: shorten(mark === -1 ? input.target : input.target.slice(0, mark), 4096),
    query: mark === -1 ? '' : shorten(input.target.slice(mark), 4096),
    normalPath: normal === undefined ? null : shorten(normal.path, 4096),
    hazards: normal?.hazards ?? [],
    alternative: cut(normal?.alternative ?? null),
    told: told === undefined ? null : { address: told.address, scheme: told.scheme },
  };
}

const shownNames = 32;

/** A certificate's facts, bounded and fit for JSON. */
export function explainIdentity(identity: Identity): ExplainedIdentity {
  const { san } = identity;
  const names = [
    ...san.dns.map((name) => `DNS:${name}`),
    ...san.uri.map((name) => `URI:${name}`),
    ...san.email.map((name) => `email:${name}`),
    ...san.ip.map((name) => `IP:${name}`),
  ];
  return {
    subject: shorten(identity.subjectText, 1024),
    issuer: shorten(identity.issuerText, 1024),
    names: names.slice(0, shownNames).map((name) => shorten(name, 256)),
    serial: identity.serial,
    notBefore: isoTime(identity.notBefore),
    notAfter: isoTime(identity.notAfter),
    fingerprint: identity.sha256,
    spki: identity.spki,
    keyAlgorithm: identity.keyAlgorithm,
  };
}

/** An identity that is only claimed is shown to the rules too, but nothing holds for it. */
function policyOf(
  of: 'host' | 'route',
  policy: Policy | null,
  identity: Identity | null,
  proven: Identity | null,
): readonly ExplainedPolicy[] {
  if (policy === null) return [];
  const holds = proven !== null && evaluate(policy, proven).allowed;
  return [{ of, holds, tree: identity === null ? null : explainPolicy(policy, identity) }];
}

function explainDecision(decision: Decision): ExplainedDecision {
  if (decision.action === 'forward') {
    const { host, route, target, authenticate, staleCrl = null } = decision;
    return {
      action: 'forward',
      reason: 'ok',
      host: host.id,
      route: nameOfRoute(route),
      target,
      authenticate,
      staleCrl,
      wouldDeny: explainWouldDeny(decision),
    };
  }
  const { reason, status, location, host, route, close, detail } = decision;
  return {
    action: 'respond',
    reason,
    status,
    message: answers[reason].message,
    location,
    host: host?.id ?? null,
    route: route === null ? null : nameOfRoute(route),
    close,
    wouldDeny: explainWouldDeny(decision),
    detail: cut(detail),
  };
}

function explainWouldDeny({ wouldDeny }: Decision): ExplainedWouldDeny | null {
  if (wouldDeny === undefined) return null;
  const { check, reason, status, detail } = wouldDeny;
  return { check, reason, status, detail: cut(detail) };
}

const cut = (detail: string | null): string | null => (detail === null ? null : shorten(detail, 1024));
