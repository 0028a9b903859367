import type { UpstreamStatus } from '../../proxy/upstream/live-upstream.ts';
import type { PageFacts } from './facts.ts';
import { html, type Html } from './html.ts';
import { count } from './numbers.ts';
import { nothing, pill, sheet } from './sections.ts';

/** Endpoints that are shown, those in trouble first. */
const maxEndpoints = 200;

interface Endpoint {
  readonly upstream: string;
  readonly endpoint: string;
  active: number;
  idle: number;
  failures: number;
  /** Processes that know it, that hold it for unhealthy, that leave it out. */
  processes: number;
  unhealthy: number;
  ejected: number;
}

/** Upstreams and how their endpoints are. */
export function upstreams({ upstreams: all }: PageFacts): Html {
  const endpoints = together(all);
  const troubled = endpoints.filter(({ unhealthy, ejected }) => unhealthy + ejected > 0);
  const shown = [...troubled, ...endpoints.filter((one) => !troubled.includes(one))].slice(0, maxEndpoints);
  const note =
    troubled.length > 0
      ? `${count(troubled.length)} of ${count(endpoints.length)} endpoints in trouble`
      : null;
  return sheet('upstreams', 'Upstreams', note, [
    endpoints.length === 0
      ? nothing('None.')
      : html`<table>
          <thead>
            <tr>
              <th>Endpoint</th>
              <th>State</th>
              <th class="num">Active</th>
              <th class="num">Idle</th>
            </tr>
          </thead>
          <tbody>
            ${shown.map(row)}
          </tbody>
        </table>`,
    shown.length < endpoints.length &&
      html`<p class="soft">and ${count(endpoints.length - shown.length)} more</p>`,
  ]);
}

function row(one: Endpoint): Html {
  const { upstream, endpoint, active, idle, failures, unhealthy, ejected } = one;
  const bad = unhealthy > 0;
  return html`<tr class="${bad ? 'bad' : ejected > 0 && 'warn'}">
    <td>${upstream} <code class="soft">${endpoint}</code></td>
    <td>
      ${stateOf(one)} ${failures > 0 && html`<span class="soft">${count(failures)} failures in a row</span>`}
    </td>
    <td class="num" data-name="active">${count(active)}</td>
    <td class="num" data-name="idle">${count(idle)}</td>
  </tr>`;
}

function stateOf({ unhealthy, ejected, processes }: Endpoint): Html {
  const by = (some: number): string =>
    processes === 1 || some === processes ? '' : ` for ${some} of ${processes} workers`;
  if (unhealthy > 0) return pill('bad', `unhealthy${by(unhealthy)}`);
  return ejected > 0 ? pill('warn', `left out${by(ejected)}`) : pill('good', 'in use');
}

/** What each process has of an endpoint, as one. */
function together(all: readonly (readonly UpstreamStatus[])[]): Endpoint[] {
  const endpoints = new Map<string, Endpoint>();
  for (const { upstream, endpoint, healthy, ejectedForMs, active, idle, failures } of all.flat()) {
    const key = JSON.stringify([upstream, endpoint]);
    const one = endpoints.get(key) ?? {
      upstream,
      endpoint,
      active: 0,
      idle: 0,
      failures: 0,
      processes: 0,
      unhealthy: 0,
      ejected: 0,
    };
    endpoints.set(key, one);
    one.active += active;
    one.idle += idle;
    one.failures = Math.max(one.failures, failures);
    one.processes++;
    if (!healthy) one.unhealthy++;
    if (ejectedForMs > 0) one.ejected++;
  }
  return [...endpoints.values()];
}
