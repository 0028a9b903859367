import { createFileSource } from '../config/file-source.ts';
import { ask } from '../explain/ask.ts';
import { BadQuestion, serverNameFor } from '../explain/question.ts';
import type { Report } from '../explain/report.ts';
import { snapshotOf } from '../explain/snapshot.ts';
import type { ExplainedVerdict } from '../snapshot/explain/trust.ts';
import { splitAuthority } from '../snapshot/host-name.ts';
import { PkiError } from './error.ts';

/** A client's certificate and the request it comes with. */
export interface ProxyQuestion {
  /** Path of the configuration file. */
  readonly config: string;
  readonly host: string;
  /** Path, and query if any. */
  readonly path: string;
  readonly method: string;
  /** The client's chain, leaf first, DER. */
  readonly chain: readonly Uint8Array[];
}

/** What the proxy would do. */
export interface ProxyAnswer {
  readonly verdict: ExplainedVerdict;
  /** True: the request goes to an upstream. */
  readonly forwarded: boolean;
  /** Of our own answer; null when forwarded, and where the handshake is ended and HTTP says nothing. */
  readonly status: number | null;
  readonly message: string | null;
  /** A code of the closed set of reasons; `ok` when forwarded. */
  readonly reason: string;
  /** For the operator: which rule missed, or which upstream. */
  readonly detail: string | null;
}

/**
 * Asks a configuration what would become of a request, as `explain` does, and tells it in short. The connection is one
 * whose server name is the host of the request. Throws PkiError where the configuration cannot be used.
 */
export async function askProxy(question: ProxyQuestion): Promise<ProxyAnswer> {
  if (splitAuthority(question.host) === null)
    throw new PkiError(`${JSON.stringify(question.host)} is no host`);
  if (!question.path.startsWith('/')) throw new PkiError('--path begins with a slash');
  const made = await snapshotOf(createFileSource(question.config));
  if ('problems' in made) {
    throw new PkiError(`${question.config} cannot be used:\n${made.problems.join('\n')}`);
  }
  try {
    const { report } = await ask(made.snapshot, {
      host: question.host,
      target: question.path,
      method: question.method,
      headers: [],
      certificate: { chain: question.chain },
      serverName: serverNameFor(question.host),
      address: '127.0.0.1',
      plainHttp: false,
      time: null,
    });
    return answerOf(report);
  } catch (error) {
    throw error instanceof BadQuestion ? new PkiError(error.message) : error;
  }
}

function answerOf(report: Report): ProxyAnswer {
  const { decision } = report;
  const verdict = verdictOf(report);
  switch (decision.action) {
    case 'forward': {
      const upstream = report.request?.upstreamRequest ?? null;
      const names =
        upstream === null || 'problem' in upstream ? [] : upstream.destinations.map((one) => one.upstream);
      const detail = `to upstream ${names.join(' or ')}, by route ${decision.route}`;
      return { verdict, forwarded: true, status: null, message: null, reason: 'ok', detail };
    }
    case 'respond': {
      const { status, message, reason, detail } = decision;
      return { verdict, forwarded: false, status, message, reason, detail };
    }
    case 'end_handshake': {
      const { reason, detail } = decision;
      return { verdict, forwarded: false, status: null, message: null, reason, detail };
    }
  }
}

const none: ExplainedVerdict = { status: 'none', reason: null, detail: null };

/** For the route that the request is for; where nothing is asked for, or the handshake ends, what it said itself. */
function verdictOf({ request, handshake }: Report): ExplainedVerdict {
  const verdicts = (handshake?.stores ?? []).map(({ verdict }) => verdict);
  const overall = verdicts.find(({ status }) => status === 'success') ?? verdicts[0] ?? none;
  return request?.clientAuth?.verdict ?? overall;
}
