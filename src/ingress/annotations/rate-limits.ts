import { limitConnStatus, limitReqStatus } from '../settings/answers.ts';
import { annotation, different } from './annotation.ts';
import { family } from './family.ts';
import { ranges, whole } from './value-types.ts';

const shared = different(
  'Counted for each path and worker process; ingress-nginx counts for each Ingress and replica, and not what it answers 413.',
);
const connections = annotation(
  'limit-connections',
  whole,
  'Requests of one address under way at once; 0: any number.',
  {
    default: '0',
    restricts: true,
    state: shared,
  },
);
const perSecond = annotation('limit-rps', whole, 'Requests of one address in a second; 0: any number.', {
  default: '0',
  restricts: true,
  state: shared,
});
const perMinute = annotation('limit-rpm', whole, 'Requests of one address in a minute; 0: any number.', {
  default: '0',
  restricts: true,
  state: shared,
});
const burst = annotation(
  'limit-burst-multiplier',
  whole,
  'How many times its rate an address may ask at once.',
  {
    default: '5',
    state: different('At most 1000.'),
  },
);
const exempt = annotation('limit-allowlist', ranges, 'Networks without limits.', {
  aliases: ['limit-whitelist'],
});
const rate = annotation('limit-rate', whole, 'Kilobytes in a second of one answer; 0: any number.', {
  default: '0',
  global: true,
});
const rateAfter = annotation('limit-rate-after', whole, 'Kilobytes before that begins.', {
  default: '0',
  global: true,
});

export const rateLimits = family({
  name: 'rate-limits',
  title: 'Rate limits',
  annotations: [connections, perSecond, perMinute, burst, exempt, rate, rateAfter],
  applyRoute(values, route, context) {
    const limits = {
      ...positive('connections', values.get(connections)),
      ...positive('perSecond', values.get(perSecond)),
      ...positive('perMinute', values.get(perMinute)),
      ...positive('bytesPerSecond', kilobytes(context.value(rate))),
    };
    if (Object.keys(limits).length === 0) return;
    const before =
      'bytesPerSecond' in limits ? positive('bytesBefore', kilobytes(context.value(rateAfter))) : {};
    const times = values.get(burst);
    const free = values.get(exempt);
    const [status, connectionsStatus] = [
      context.setting(limitReqStatus),
      context.setting(limitConnStatus) ?? (context.setting(limitReqStatus) === null ? null : 503),
    ];
    route.config.rateLimit = {
      ...limits,
      ...before,
      ...(times === null ? {} : { burst: Math.min(Math.max(times, 1), 1000) }),
      ...(free === null ? {} : { exempt: [...free] }),
      ...(status === null ? {} : { status }),
      ...(connectionsStatus === null || connectionsStatus === (status ?? 503) ? {} : { connectionsStatus }),
    };
  },
});

function positive(key: string, value: number | null): Record<string, number> {
  return value === null || value === 0 ? {} : { [key]: value };
}

function kilobytes(value: number | null): number | null {
  return value === null ? null : value * 1024;
}
