import type { ValueType } from '../annotations/annotation.ts';
import { whole } from '../annotations/value-types.ts';
import { setting } from './setting.ts';

function between(low: number, high: number): ValueType<number> {
  return {
    name: `${low} … ${high}`,
    parse(text) {
      const parsed = whole.parse(text);
      if ('problem' in parsed) return parsed;
      return parsed.value >= low && parsed.value <= high
        ? parsed
        : { problem: `is not between ${low} and ${high}` };
    },
  };
}

/** The status of redirects to https, and between a name and its `www.`. */
export const httpRedirectCode = setting(
  'http-redirect-code',
  between(300, 308),
  'The status of redirects to https, and between a name and its `www.`.',
  { default: '308' },
);

/** The answer to whoever asks too often. */
export const limitReqStatus = setting(
  'limit-req-status-code',
  between(400, 599),
  'The status for too many requests in a time.',
  { default: '503' },
);

/** The answer to whoever asks for too much at once. */
export const limitConnStatus = setting(
  'limit-conn-status-code',
  between(400, 599),
  'The status for too many requests at once.',
  { default: '503' },
);

export const answers = [httpRedirectCode, limitReqStatus, limitConnStatus];
