import type { Observer } from '../../observe/observer.ts';
import type { Mirror as MirrorRule } from '../../snapshot/snapshot.ts';
import type { OutboundRequest } from '../upstream/outbound.ts';
import type { LaneUpstreams } from './lane.ts';

/** Most copies under way at once, and most bytes of an answer's body that are read before the copy is ended. */
const limits = { copies: 256, bytes: 64 * 1024 };

/** How copies fared, of those that were asked for. */
export interface MirrorCounts {
  readonly sent: number;
  /** Answered, whatever the status. */
  readonly answered: number;
  /** No answer came. */
  readonly failed: number;
  /** Not sent: too many were under way. */
  readonly dropped: number;
}

/**
 * Sends copies of requests and forgets what they are answered. The original never waits for its copy, and nothing that
 * happens to the copy happens to it. A copy says who the client is just as the original does: where it goes has to be
 * trusted as much.
 */
export class Mirror {
  readonly #observer: Pick<Observer, 'upstream'>;
  readonly #limit: number;
  #underway = 0;
  #counts = { sent: 0, answered: 0, failed: 0, dropped: 0 };

  constructor(observer: Pick<Observer, 'upstream'>, limit: number = limits.copies) {
    this.#observer = observer;
    this.#limit = limit;
  }

  get counts(): MirrorCounts {
    return { ...this.#counts };
  }

  /**
   * Sends a copy, if so many are not under way already.
   *
   * @param original with its body in memory, or without one
   */
  copy(upstreams: Pick<LaneUpstreams, 'send'>, rule: MirrorRule, original: OutboundRequest): void {
    if (this.#underway >= this.#limit) {
      this.#counts.dropped++;
      this.#failed(rule, null, `${this.#limit} copies are under way`);
      return;
    }
    this.#underway++;
    this.#counts.sent++;
    let counted = false;
    const count = (how: 'answered' | 'failed'): void => {
      if (!counted) this.#counts[how]++;
      counted = true;
    };
    const finish = (how: 'answered' | 'failed'): void => {
      clearTimeout(timer);
      this.#underway--;
      count(how);
    };
    const end = (): void => {
      call.abort();
      if (!counted) this.#failed(rule, call.record.endpoint, 'no answer in all the time there was');
      finish('failed');
    };
    let left = limits.bytes;
    const { method, target, headers, timeouts, body } = original;
    const call = upstreams.send(
      {
        upstream: rule.upstream,
        method,
        target,
        headers: rule.host === null ? headers : withHost(headers, rule.host),
        body: rule.body ? body : null,
        timeouts,
      },
      {
        onInformation: () => {},
        onResponse: () => count('answered'),
        onData: (chunk) => {
          left -= chunk.length;
          if (left < 0) end();
          return true;
        },
        onEnd: () => finish('answered'),
        onError: ({ reason, detail }) => {
          if (!counted) this.#failed(rule, call.record.endpoint, `${reason}: ${detail}`);
          finish('failed');
        },
      },
    );
    // An answer that trickles keeps within every time-out between two reads.
    const timer = setTimeout(end, timeouts.connectMs + timeouts.sendMs + timeouts.readMs).unref();
  }

  #failed({ upstream }: MirrorRule, endpoint: string | null, detail: string): void {
    this.#observer.upstream({ kind: 'copy_failed', upstream, endpoint: endpoint ?? '', detail });
  }
}

/** Headers for the upstream begin with Host. */
function withHost(headers: readonly string[], host: string): string[] {
  return headers.map((text, index) => (index === 1 && headers[0] === 'Host' ? host : text));
}
