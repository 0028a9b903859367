import { RetryCondition } from '../../config/schema/retry.ts';
import { parseSize } from '../../config/units.ts';
import { upstreamConnections, upstreamTimeout } from '../settings/limits.ts';
import { annotation, different, refused, type Annotation, type ValueType } from './annotation.ts';
import { family, type RouteDraft } from './family.ts';
import { onOff, oneOf, seconds, size, whole } from './value-types.ts';

const streamed = different(
  'Bodies and answers are streamed through memory with back-pressure; nothing is buffered on disk.',
);

const bodySize = annotation(
  'proxy-body-size',
  size,
  'The largest request body; more is answered 413. 0: no limit.',
  {
    risk: 'Medium',
    default: '1m',
    global: true,
  },
);
const connect = annotation(
  'proxy-connect-timeout',
  seconds,
  'How long a connection to an endpoint may take.',
  { default: '5', global: true },
);
const send = annotation('proxy-send-timeout', seconds, 'How long between two writes to the upstream.', {
  default: '60',
  global: true,
});
const read = annotation(
  'proxy-read-timeout',
  seconds,
  'How long between two reads from the upstream, else 504.',
  { default: '60', global: true },
);
const tries = annotation(
  'proxy-next-upstream-tries',
  whole,
  'Endpoints tried for one request, the first included.',
  {
    default: '3',
    global: true,
    state: different('More than 100 count as 100; only requests that may safely be repeated are.'),
  },
);

const words = RetryCondition.anyOf.map((literal) => literal.const);
const conditionsType: ValueType<readonly RetryCondition[]> = {
  name: words.join(' '),
  parse(written) {
    const found = written.split(/\s+/).map((word) => words.find((known) => known === word));
    return found.every((word) => word !== undefined)
      ? { value: Object.freeze(found) }
      : { problem: `holds a word other than ${words.join(', ')}` };
  },
};
const conditions = annotation(
  'proxy-next-upstream',
  conditionsType,
  'What makes a request go to another endpoint.',
  { risk: 'Medium', default: 'error timeout', global: true },
);
const triesTimeout = annotation(
  'proxy-next-upstream-timeout',
  seconds,
  'Time for all tries together; 0: none.',
  { default: '0', global: true },
);

const requestBuffering = annotation('proxy-request-buffering', onOff, 'Read the whole request body first.', {
  default: 'on',
  global: true,
  state: different(
    'Only where `on` is written; else bodies are streamed. Bodies of more than 1 MiB always are.',
  ),
});
const headLimit = annotation(
  'proxy-buffer-size',
  size,
  "The largest head of an upstream's answer; more is answered 502.",
  {
    default: '4k',
    global: true,
    state: different('Without it 64k, which is also the most.'),
  },
);

const others: readonly Annotation[] = [
  annotation('client-body-buffer-size', size, 'Memory for a request body before it goes to disk.', {
    default: '8k',
    state: streamed,
  }),
  annotation('proxy-buffering', onOff, 'Read the answer ahead of the client.', {
    default: 'off',
    state: streamed,
  }),
  annotation('proxy-buffers-number', whole, 'Buffers for an answer.', { default: '4', state: streamed }),
  annotation('proxy-busy-buffers-size', size, 'Buffers busy with sending to the client.', {
    state: streamed,
  }),
  annotation('proxy-max-temp-file-size', size, 'Disk for an answer.', { default: '1024m', state: streamed }),
  annotation('proxy-http-version', oneOf('1.0', '1.1'), 'HTTP version towards the upstream.', {
    default: '1.1',
    state: refused('Upstreams are spoken to in HTTP/1.1 only.'),
  }),
];

/** A day at most: longer is no time-out. 0 would be none at all, to us as to nginx. */
function duration(value: number): string {
  return `${Math.min(Math.max(value, 1), 86_400)}s`;
}

export const proxy = family({
  name: 'proxy',
  title: 'Proxy tuning',
  annotations: [
    bodySize,
    connect,
    send,
    read,
    tries,
    conditions,
    triesTimeout,
    requestBuffering,
    headLimit,
    ...others,
  ],
  applyRoute(_values, route: RouteDraft, context) {
    const limit = context.value(bodySize);
    if (limit !== null) route.config.bodyLimit = limit;
    const timeouts = Object.entries({ connect, send, read }).flatMap(([name, declared]) => {
      const value = context.value(declared);
      return value === null ? [] : [[name, duration(value)] as const];
    });
    if (timeouts.length > 0) route.config.timeouts = Object.fromEntries(timeouts);
    const [idle, idleTime] = [context.setting(upstreamConnections), context.setting(upstreamTimeout)];
    if (idle !== null || idleTime !== null) {
      route.upstream.keepAlive = {
        ...(idle === null ? {} : { connections: Math.max(idle, 1) }),
        ...(idleTime === null ? {} : { timeout: duration(idleTime) }),
      };
    }
    if (context.value(requestBuffering) === true) route.config.bufferRequest = true;
    const head = context.value(headLimit);
    if (head !== null) {
      const bytes = Math.min(Math.max(parseSize(head), 1024), 65_536);
      route.config.responseHeadLimit = String(bytes);
    }
    const [count, on, within] = [
      context.value(tries),
      context.value(conditions),
      context.value(triesTimeout),
    ];
    const retry = {
      ...(count === null ? {} : { tries: Math.min(count, 100) }),
      ...(on === null ? {} : { on: [...on] }),
      ...(within === null || within === 0 ? {} : { timeout: duration(within) }),
    };
    if (Object.keys(retry).length > 0) route.config.retry = retry;
  },
});
