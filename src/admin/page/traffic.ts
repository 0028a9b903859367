import { type Counted, latencyQuantile, stepMs, steps } from '../../observe/activity.ts';
import type { PageFacts } from './facts.ts';
import { type Content, html, type Html } from './html.ts';
import { count, latency, rate } from './numbers.ts';
import { nothing, sheet } from './sections.ts';

/** Steps that a rate is the mean of: ten seconds, the one under way left out. */
const rateSteps = 5;

const maxReasons = 12;

/** Handshakes and requests of the last five minutes, with what was turned away and why. */
export function traffic({ activity }: PageFacts): Html {
  const { counts, latency: taken, handshakeReasons, requestReasons } = activity;
  const sum = (kind: Counted): number => counts[kind].reduce((total, one) => total + one, 0);
  const perSecond = (kind: Counted): number =>
    counts[kind].slice(-rateSteps - 1, -1).reduce((total, one) => total + one, 0) /
    ((rateSteps * stepMs) / 1000);
  const share = (part: number, whole: number): string =>
    whole === 0 ? '' : ` (${((100 * part) / whole).toFixed(part > 0 && part / whole < 0.1 ? 1 : 0)} %)`;
  const [handshakes, rejected, requests, refused, failed] = (
    ['handshakes', 'rejected', 'requests', 'refused', 'failed'] as const
  ).map(sum) as [number, number, number, number, number];
  const turnedAway = counts.refused.map((one, index) => one + counts.failed[index]!);
  return sheet(
    'traffic',
    'Traffic',
    'the last five minutes',
    [
      html`<div class="tiles">
        ${tile('Requests', rate(perSecond('requests')), 'per second', spark(counts.requests, turnedAway), [
          `${count(requests)} in all, ${count(refused)} refused${share(refused, requests)}, ${count(failed)} failed`,
        ])}
        ${tile(
          'Handshakes',
          rate(perSecond('handshakes')),
          'per second',
          spark(counts.handshakes, counts.rejected),
          [`${count(handshakes)} in all, ${count(rejected)} rejected${share(rejected, handshakes)}`],
        )}
        ${tile('Latency', latency(latencyQuantile(taken, 0.5)), 'half of all', null, [
          html`95 %: ${latency(latencyQuantile(taken, 0.95))}`,
          html`99 %: ${latency(latencyQuantile(taken, 0.99))}, of the last minute`,
        ])}
      </div>`,
      html`<div class="reasons">
        ${reasons('Requests turned away', requestReasons)} ${reasons('Handshakes rejected', handshakeReasons)}
      </div>`,
    ],
    'wide',
  );
}

function tile(name: string, figure: string, unit: string, chart: Content, lines: readonly Content[]): Html {
  return html`<div class="tile">
    <h3>${name}</h3>
    <p class="figure">${figure} <small>${unit}</small></p>
    ${chart}${lines.map((line) => html`<p class="soft">${line}</p>`)}
  </div>`;
}

const height = 32;

/** A line over all steps but the one under way, closed out of sight, and below it what part of it was turned away. */
function spark(all: readonly number[], off: readonly number[]): Html {
  const top = Math.max(1, ...all.slice(0, -1));
  const y = (value: number): string => (height - (value / top) * (height - 2)).toFixed(1);
  const line = all.slice(0, -1).map((value, index) => `${index === 0 ? 'M' : 'L'}${index} ${y(value)}`);
  const bars = off
    .slice(0, -1)
    .flatMap((value, index) => (value === 0 ? [] : [`M${index - 0.5} ${height}V${y(value)}h1V${height}z`]));
  const width = steps - 2;
  return html`<svg
    class="spark"
    viewBox="0 0 ${width} ${height}"
    preserveAspectRatio="none"
    aria-hidden="true"
  >
    <path class="area" d="${line.join('')}H${width + 4}V${height + 4}H-4z"></path>
    <path class="off" d="${bars.join('')}"></path>
  </svg>`;
}

function reasons(title: string, counts: Readonly<Record<string, number>>): Html {
  const sorted = Object.entries(counts).toSorted(([, one], [, other]) => other - one);
  const most = sorted[0]?.[1] ?? 1;
  const rest = sorted.slice(maxReasons).reduce((sum, [, times]) => sum + times, 0);
  return html`<div>
    <h3>${title}</h3>
    ${
      sorted.length === 0
        ? nothing('None.')
        : html`<ul>
            ${sorted.slice(0, maxReasons).map(
              ([reason, times]) =>
                html`<li>
                  <code>${reason}</code>
                  <svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
                    <rect class="track" width="100" height="6" rx="1"></rect>
                    <rect
                      class="filled"
                      width="${((100 * times) / most).toFixed(1)}"
                      height="6"
                      rx="1"
                    ></rect>
                  </svg>
                  <span class="num">${count(times)}</span>
                </li>`,
            )}
          </ul>`
    }
    ${rest > 0 && html`<p class="soft">and ${count(rest)} for other reasons</p>`}
  </div>`;
}
