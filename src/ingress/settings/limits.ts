import { different, type Parsed, type ValueType } from '../annotations/annotation.ts';
import { flag, oneOf, seconds, size, whole } from '../annotations/value-types.ts';
import { parseSize } from '../../config/units.ts';
import { setting } from './setting.ts';

const buffersType: ValueType<number> = {
  name: 'number size',
  parse(written): Parsed<number> {
    const match = /^([1-9][0-9]{0,3}) +([0-9]{1,6}[kKmM]?)$/.exec(written);
    if (match === null) return { problem: 'is not a number and a size such as 4 8k' };
    return { value: Number(match[1]) * parseSize(match[2]!.toLowerCase()) };
  },
};

const workersType: ValueType<'auto' | number> = {
  name: 'auto | number',
  parse(written) {
    if (written === 'auto') return { value: 'auto' };
    const parsed = whole.parse(written);
    if ('problem' in parsed) return parsed;
    return parsed.value >= 1 && parsed.value <= 256 ? parsed : { problem: 'is not between 1 and 256' };
  },
};

/** What one program takes on, and how long it waits. */
export const keepAlive = setting('keep-alive', seconds, 'How long an idle connection of a client is kept.', {
  default: '75',
  state: different('0 counts as 1 second.'),
});
export const keepAliveRequests = setting('keep-alive-requests', whole, 'Requests on one connection.', {
  default: '1000',
});
export const headerTimeout = setting('client-header-timeout', seconds, 'How long a request head may take.', {
  default: '60',
});
export const bodyTimeout = setting(
  'client-body-timeout',
  seconds,
  'How long between two reads of a request body.',
  {
    default: '60',
  },
);
export const headerBuffers = setting(
  'large-client-header-buffers',
  buffersType,
  'The largest request head, a number of buffers and their size.',
  { default: '4 8k', state: different('The head as a whole may have their size together; 1 MB at most.') },
);
export const connections = setting('max-worker-connections', whole, 'Connections of one process.', {
  default: '16384',
});
export const workers = setting(
  'worker-processes',
  workersType,
  'Worker processes; auto: one for each core.',
  {
    default: 'auto',
    state: different('Without the key there is one.'),
  },
);
export const shutdownTimeout = setting(
  'worker-shutdown-timeout',
  seconds,
  'How long requests may go on while the program ends.',
  { default: '240s' },
);
export const upstreamConnections = setting(
  'upstream-keepalive-connections',
  whole,
  'Idle connections kept to an upstream.',
  { default: '320', state: different('0 counts as 1.') },
);
export const upstreamTimeout = setting('upstream-keepalive-timeout', seconds, 'How long they are kept.', {
  default: '60',
});
export const disableAccessLog = setting('disable-access-log', flag, 'Log no requests.', { default: 'false' });

export const limits = [
  keepAlive,
  keepAliveRequests,
  headerTimeout,
  bodyTimeout,
  headerBuffers,
  connections,
  workers,
  shutdownTimeout,
  upstreamConnections,
  upstreamTimeout,
  disableAccessLog,
  setting('client-header-buffer-size', size, 'Memory for a request head, at first.', {
    default: '1k',
    state: different('Memory is taken as it is needed.'),
  }),
  setting('upstream-keepalive-requests', whole, 'Requests on one of them.', {
    default: '10000',
    state: different('Any number.'),
  }),
  setting('server-tokens', flag, 'Name the server and its version.', {
    default: 'false',
    state: different('Answers never name them.'),
  }),
  setting('proxy-stream-next-upstream', oneOf('true', 'false'), 'Of TCP and UDP services.', {
    default: 'true',
    state: different('There are no TCP and UDP services here.'),
  }),
];
