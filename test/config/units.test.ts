import * as fc from 'fast-check';
import t from 'tap';
import { Value } from 'typebox/value';
import { maxDurationMs, parseDuration, parseSize } from '../../src/config/units.ts';
import { Duration, Size } from '../../src/config/schema.ts';

void t.test('durations become milliseconds', async (t) => {
  const cases = {
    '0s': 0,
    '1ms': 1,
    '500ms': 500,
    '60s': 60_000,
    '05s': 5000,
    '5m': 300_000,
    '1h': 3_600_000,
    '596h': 2_145_600_000,
    '2147483647ms': maxDurationMs,
  };
  for (const [text, expected] of Object.entries(cases)) t.equal(parseDuration(text), expected, text);
});

void t.test('what is no duration throws', async (t) => {
  for (const text of ['', '5', 's', '-1s', '1.5s', '1 s', '5S', '1d', '1s\n', '1e3s', '٣s', '0x1s']) {
    t.throws(() => parseDuration(text), RangeError, JSON.stringify(text));
  }
});

void t.test('a duration that a timer would take for nothing throws', async (t) => {
  for (const text of ['2147483648ms', '597h', '999999999999999999999h', `${'9'.repeat(400)}h`]) {
    t.throws(() => parseDuration(text), RangeError, text.slice(0, 30));
  }
});

void t.test('sizes become bytes, zero becomes no limit', async (t) => {
  const cases = {
    '0': Infinity,
    '0k': Infinity,
    '1': 1,
    '512': 512,
    '8k': 8192,
    '1m': 1_048_576,
    '2g': 2_147_483_648,
  };
  for (const [text, expected] of Object.entries(cases)) t.equal(parseSize(text), expected, text);
});

void t.test('what is no size, or cannot be counted exactly, throws', async (t) => {
  for (const text of ['', 'k', '-1', '1.5m', '1M', '1mb', '1m\n', '9007199254740993', '8388609g']) {
    t.throws(() => parseSize(text), RangeError, JSON.stringify(text));
  }
});

void t.test('whatever text fits the schema is either read or refused with a RangeError', async () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9]{1,25}(ms|s|m|h|k|g)?$/), (text) => {
      for (const [schema, parse, max] of [
        [Duration, parseDuration, maxDurationMs],
        [Size, parseSize, Infinity],
      ] as const) {
        try {
          const value = parse(text);
          if (!Value.Check(schema, text) || !(value >= 0 && value <= max)) return false;
        } catch (error) {
          if (!(error instanceof RangeError)) return false;
        }
      }
      return true;
    }),
  );
});
