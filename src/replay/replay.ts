import { shorten } from '../observe/shorten.ts';
import { readWholeHead } from '../proxy/whole-head.ts';
import { decide } from '../snapshot/decide.ts';
import type { Decision } from '../snapshot/decision.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { type Assumption, Connections } from './connection.ts';
import { readLine, type Recorded, type Unreplayable } from './recorded.ts';

/** What came of a request, or would come: short, for people. */
interface Outcome {
  /** `forwarded to app`, `403 policy_ou`, `308 redirect_https`. */
  readonly text: string;
  /** Where it may go; null: nowhere, or it is not forwarded. */
  readonly upstreams: readonly string[] | null;
  /** Of an answer of our own: what is compared where it is not the text. */
  readonly reason: string | null;
  readonly detail: string | null;
}

/** Requests that a new configuration answers differently, in the same way. */
export interface Change {
  readonly host: string;
  readonly was: string;
  readonly now: string;
  readonly requests: number;
  /** Who they are, the first of them; null: without a certificate. */
  readonly identities: readonly {
    readonly subject: string | null;
    readonly fingerprint: string | null;
    readonly requests: number;
  }[];
  /** There are more. */
  readonly moreIdentities: boolean;
  /** Request ids, the first of them. */
  readonly examples: readonly string[];
  /** What was seen and wanted, of the first. */
  readonly detail: string | null;
}

export interface ReplayReport {
  readonly lines: number;
  readonly replayed: number;
  readonly same: number;
  readonly different: number;
  /** The most frequent first. */
  readonly changes: readonly Change[];
  /** Requests that differ in ways of which there were too many to tell apart. */
  readonly otherChanges: number;
  readonly skipped: readonly { readonly reason: Unreplayable; readonly lines: number }[];
  readonly assumed: readonly { readonly assumption: Assumption; readonly requests: number }[];
}

const maxChanges = 1000;
const maxIdentities = 100;
const shownIdentities = 10;
const shownExamples = 5;

interface Group {
  readonly host: string;
  readonly was: string;
  readonly now: string;
  readonly detail: string | null;
  requests: number;
  readonly identities: Map<string, { readonly subject: string | null; requests: number }>;
  moreIdentities: boolean;
  readonly examples: string[];
}

/**
 * Asks a snapshot what it makes of yesterday's requests, one line of the access log at a time. What is kept is bounded,
 * however long the log.
 */
export class Replay {
  readonly #then: Snapshot | null;
  readonly #now: Snapshot;
  readonly #connectionsThen: Connections | null;
  readonly #connectionsNow: Connections;
  readonly #groups = new Map<string, Group>();
  readonly #skipped = new Map<Unreplayable, number>();
  readonly #assumed = new Map<Assumption, number>();
  #lines = 0;
  #replayed = 0;
  #different = 0;
  #others = 0;

  /** @param then What to compare with; null: with what the log says came of each request. */
  constructor(now: Snapshot, then: Snapshot | null) {
    this.#now = now;
    this.#then = then;
    this.#connectionsNow = new Connections(now);
    this.#connectionsThen = then === null ? null : new Connections(then);
  }

  take(line: string): void {
    this.#lines++;
    const recorded = readLine(line);
    if (typeof recorded === 'string') {
      this.#skipped.set(recorded, (this.#skipped.get(recorded) ?? 0) + 1);
      return;
    }
    this.#replayed++;
    const was =
      this.#then === null ? loggedOutcome(recorded) : this.#ask(this.#then, this.#connectionsThen!, recorded);
    const now = this.#ask(this.#now, this.#connectionsNow, recorded, true);
    if (!sameOutcome(was, now)) this.#differs(recorded, was, now);
  }

  report(): ReplayReport {
    const changes = [...this.#groups.values()].sort((a, b) => b.requests - a.requests);
    return {
      lines: this.#lines,
      replayed: this.#replayed,
      same: this.#replayed - this.#different,
      different: this.#different,
      changes: changes.map(({ host, was, now, requests, identities, moreIdentities, examples, detail }) => ({
        host,
        was,
        now,
        requests,
        identities: [...identities]
          .sort(([, a], [, b]) => b.requests - a.requests)
          .slice(0, shownIdentities)
          .map(([fingerprint, { subject, requests }]) => ({
            subject,
            fingerprint: fingerprint === '' ? null : fingerprint,
            requests,
          })),
        moreIdentities: moreIdentities || identities.size > shownIdentities,
        examples,
        detail,
      })),
      otherChanges: this.#others,
      skipped: [...this.#skipped].map(([reason, lines]) => ({ reason, lines })),
      assumed: [...this.#assumed].map(([assumption, requests]) => ({ assumption, requests })),
    };
  }

  #ask(snapshot: Snapshot, connections: Connections, recorded: Recorded, tells = false): Outcome {
    const made = connections.of(recorded);
    if (made === null) return { text: 'handshake refused', upstreams: null, reason: null, detail: null };
    if (tells && made.assumed !== null) {
      this.#assumed.set(made.assumed, (this.#assumed.get(made.assumed) ?? 0) + 1);
    }
    const { connection } = made;
    const { method, target, authority } = recorded.line.request;
    const read = readWholeHead(snapshot, connection.remoteAddress, {
      method,
      target,
      httpVersion: '1.1',
      rawHeaders: ['Host', authority],
    });
    if (!read.ok) return { text: read.reason, upstreams: null, reason: null, detail: read.detail };
    return outcomeOf(decide(snapshot, connection, read.head, recorded.time));
  }

  #differs({ line, identity }: Recorded, was: Outcome, now: Outcome): void {
    this.#different++;
    // Known hosts alone: whoever sends requests picks the others' names.
    const host =
      line.request.host ?? this.#now.hosts.find(line.connection.server_name ?? '')?.id ?? '(no host)';
    const key = JSON.stringify([host, was.text, now.text]);
    let group = this.#groups.get(key);
    if (group === undefined) {
      if (this.#groups.size >= maxChanges) {
        this.#others++;
        return;
      }
      const { detail } = now;
      group = {
        host,
        was: was.text,
        now: now.text,
        detail: detail === null ? null : shorten(detail, 512),
        requests: 0,
        identities: new Map(),
        moreIdentities: false,
        examples: [],
      };
      this.#groups.set(key, group);
    }
    group.requests++;
    if (group.examples.length < shownExamples) group.examples.push(shorten(line.request.id, 128));
    const fingerprint = identity?.sha256 ?? '';
    const known = group.identities.get(fingerprint);
    if (known !== undefined) known.requests++;
    else if (group.identities.size >= maxIdentities) group.moreIdentities = true;
    else {
      const subject = identity === null ? null : shorten(identity.subjectText, 256);
      group.identities.set(fingerprint, { subject, requests: 1 });
    }
  }
}

function outcomeOf(decision: Decision): Outcome {
  if (decision.action === 'respond') {
    const { status, reason, detail } = decision;
    return { text: `${status} ${reason}`, upstreams: null, reason: null, detail };
  }
  const { upstream, canaries } = decision.route;
  const upstreams = [upstream, ...canaries.map((canary) => canary.upstream)];
  return { text: `forwarded to ${upstreams.join(' or ')}`, upstreams, reason: null, detail: null };
}

/** What the log says. A request that was forwarded and refused behind the decision is forwarded here. */
function loggedOutcome({ line: { request } }: Recorded): Outcome {
  const { action, decision, status, upstream } = request;
  if (action === 'respond') {
    const reason = shorten(decision, 64);
    return { text: `${status} ${reason}`, upstreams: null, reason, detail: null };
  }
  const name = upstream === null ? null : shorten(upstream.name, 128);
  return {
    text: name === null ? 'forwarded' : `forwarded to ${name}`,
    upstreams: name === null ? [] : [name],
    reason: null,
    detail: null,
  };
}

/** Forwarded twice is the same where one may have gone where the other goes; of nowhere nothing is known. */
function sameOutcome(was: Outcome, now: Outcome): boolean {
  if (was.upstreams === null || now.upstreams === null) {
    // The status that a client got may be an error page's, or 0 where it left first.
    return was.reason === null ? was.text === now.text : now.text.endsWith(` ${was.reason}`);
  }
  const { upstreams } = now;
  return was.upstreams.length === 0 || was.upstreams.some((name) => upstreams.includes(name));
}
