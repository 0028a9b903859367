import { type Reports, reportsSomething } from '../../snapshot/report.ts';
import type { Route, Snapshot } from '../../snapshot/snapshot.ts';
import { maxHosts, type PageFacts } from './facts.ts';
import { type Content, html, type Html } from './html.ts';
import { clock, count, span, utc } from './numbers.ts';
import { policyText } from './policy-text.ts';
import { totals } from './totals.ts';

/** Hosts up to which all are unfolded at first. */
const fewHosts = 6;

const maxRoutes = 100;

/** A part of the page, which is sent anew when it changes. */
export function sheet(id: string, title: string, note: Content, body: Content, more = ''): Html {
  return html`<section id="${id}" class="sheet ${more}" aria-labelledby="${id}-title">
    <h2 id="${id}-title">${title} ${note === null ? null : html`<small>${note}</small>`}</h2>
    ${body}
  </section>`;
}

export function pill(tone: 'good' | 'warn' | 'bad' | 'accent' | '', text: string): Html {
  return html`<span class="pill ${tone}">${text}</span>`;
}

/** What the program is and how it is. */
export function head(facts: PageFacts): Html {
  const { state, note, snapshot, now, startedAt, connections, workers, version, reloads } = facts;
  const lastFailed = reloads[0]?.result === 'failure';
  const pair = (name: string, value: Content): Html =>
    html`<div>
      <dt>${name}</dt>
      <dd>${value}</dd>
    </div>`;
  const running = workers?.filter(({ configuration }) => configuration !== null).length ?? 0;
  return html`<section id="head">
    <div>
      ${pill(state === 'serving' ? 'good' : 'warn', state)} ${lastFailed && pill('bad', 'last reload failed')}
      ${note}
    </div>
    <dl class="facts">
      ${pair('configuration', html`<code>${snapshot?.version.slice(0, 12) ?? 'none'}</code>`)}
      ${pair('up', span(now - startedAt))} ${pair('connections', count(connections))}
      ${workers !== null && pair('workers', `${running} of ${workers.length}`)} ${pair('version', version)}
    </dl>
  </section>`;
}

/** Hosts and their routes: who may come in, and where to. */
export function hosts(facts: PageFacts): Html {
  const { snapshot, metrics } = facts;
  if (snapshot === null)
    return sheet('hosts', 'Hosts and routes', null, nothing('No configuration is in force yet.'));
  const all = snapshot.hosts.all;
  const shown = all.slice(0, maxHosts);
  const counted = all.length <= maxHosts;
  const requests = counted ? totals(metrics, 'requests', 'host') : null;
  const byRoute = counted ? totals(metrics, 'requests', 'route') : null;
  const refusals = counted ? totals(metrics, 'refusals', 'host') : null;
  const spared = counted ? totals(metrics, 'wouldDeny', 'host') : null;
  const body = shown.map(
    (host) =>
      html`<details class="host" id="host:${host.id}" ${all.length <= fewHosts && html`open`}>
        <summary>
          <span class="row"
            ><strong>${host.names.slice(0, 10).join(', ')}</strong>
            ${modePill(host.clientAuth.mode, host.clientAuth.strict)}
            ${reportsSomething(host) && pill('warn', `only reports${reportedTimes(spared?.get(host.id) ?? 0)}`)}
            ${
              requests !== null &&
              html`<span
                >${count(requests.get(host.id) ?? 0)} requests, ${count(refusals?.get(host.id) ?? 0)} answered
                here</span
              >`
            }
          </span>
        </summary>
        ${host.policy !== null && html`<p class="policy">Policy: ${policyText(host.policy)}</p>`}
        <table>
          <thead>
            <tr>
              <th>Path</th>
              <th>Goes to</th>
              <th>Policy</th>
              <th class="num">Requests</th>
            </tr>
          </thead>
          <tbody>
            ${host.routes.all.slice(0, maxRoutes).map((route) => routeRow(route, host.clientAuth.mode, byRoute))}
          </tbody>
        </table>
        ${host.routes.all.length > maxRoutes && html`<p class="soft">and ${host.routes.all.length - maxRoutes} more routes</p>`}
      </details>`,
  );
  const rest = all.length - shown.length;
  return sheet('hosts', 'Hosts and routes', `${count(all.length)} ${all.length === 1 ? 'host' : 'hosts'}`, [
    ...body,
    rest > 0 &&
      html`<p class="soft">and ${count(rest)} more: <a href="status">/status</a> has all of them</p>`,
  ]);
}

function routeRow(route: Route, hostMode: string, requests: ReadonlyMap<string, number> | null): Html {
  const { path, pathType, policy, clientAuth } = route;
  return html`<tr>
    <td>
      <code>${path}</code>
      ${pathType !== 'Prefix' && html`<span class="soft">${pathType.toLowerCase()}</span>`}
      ${clientAuth.mode !== hostMode && modePill(clientAuth.mode, false)} ${reportPill(route.reports)}
    </td>
    <td data-name="to">${destination(route)}</td>
    <td class="whole" ${policy !== null && html`data-name="policy"`}>
      ${policy === null ? '' : policyText(policy)}
    </td>
    <td class="num" data-name="requests">${requests === null ? '' : count(requests.get(route.id) ?? 0)}</td>
  </tr>`;
}

function destination({ answer, upstream, canaries }: Route): Content {
  if (answer === null) {
    return canaries.length === 0
      ? upstream
      : html`${upstream}
          <span class="soft">or ${canaries.map((canary) => canary.upstream).join(', ')}</span>`;
  }
  return answer.kind === 'redirect' ? `redirect, ${answer.status}` : `answer, ${answer.status}`;
}

function reportedTimes(times: number): string {
  return times === 0 ? '' : `: ${count(times)} would have been denied`;
}

/** Which checks of a route let everyone pass and only tell of it. */
function reportPill({ certificate, hostPolicy, routePolicy }: Reports): Content {
  const checks = [certificate && 'certificate', hostPolicy && 'host policy', routePolicy && 'policy'].filter(
    (check) => check !== false,
  );
  return checks.length > 0 && pill('warn', `only reports: ${checks.join(', ')}`);
}

const modeTones = { require: 'accent', optional: '', optional_no_ca: 'warn', off: '' } as const;

function modePill(mode: keyof typeof modeTones, strict: boolean): Html {
  const text =
    mode === 'off' ? 'no client certificates' : `client certificates: ${mode.replaceAll('_', ' ')}`;
  return pill(modeTones[mode], strict ? `${text}, strict` : text);
}

/** Attempts to load a configuration, and what is wrong with the manifests. */
export function reloads({ reloads: past, problems, now }: PageFacts): Html {
  const rows = past.map(
    ({ time, result, version, problems: lines }) =>
      html`<tr class="${result === 'failure' && 'bad'}">
        <td class="time">${clock(time, now)}</td>
        <td>${result === 'success' ? pill('good', 'taken over') : pill('bad', 'refused')}</td>
        <td class="whole">
          ${version !== null ? html`<code>${version.slice(0, 12)}</code>` : problemLines(lines)}
        </td>
      </tr>`,
  );
  const { errors, warnings, lines } = problems;
  return sheet('reloads', 'Reloads', null, [
    past.length === 0
      ? nothing('None yet.')
      : html`<table>
          <thead>
            <tr>
              <th>Time</th>
              <th>Result</th>
              <th>Configuration</th>
            </tr>
          </thead>
          <tbody>
            ${rows}
          </tbody>
        </table>`,
    errors + warnings > 0 &&
      html`<details id="problems">
        <summary>${count(errors)} errors and ${count(warnings)} warnings in the manifests</summary>
        <ul>
          ${lines.map((line) => html`<li class="mono">${line}</li>`)}
        </ul>
      </details>`,
  ]);
}

function problemLines([first = '', ...rest]: readonly string[]): Html {
  return html`<span class="mono">${first}</span> ${
      rest.length > 0 &&
      html`<ul>
        ${rest.map((line) => html`<li class="mono">${line}</li>`)}
      </ul>`
    }`;
}

/** The processes, and where they listen. */
export function program({ workers, snapshot, startedAt }: PageFacts): Html {
  const { node, openssl } = process.versions;
  const pair = (name: string, value: Content): Html =>
    html`<dt>${name}</dt>
      <dd>${value}</dd>`;
  return sheet('program', 'Program', null, [
    html`<dl class="pairs">
      ${snapshot !== null && listenersOf(snapshot).map(([name, where]) => pair(name, where))}
      ${pair('Node', node)} ${pair('OpenSSL', openssl)} ${pair('started', utc(startedAt))}
      ${snapshot !== null && pair('lanes', snapshot.expressLane ? 'plain requests take the express lane, others the full one' : 'all requests take the full lane')}
    </dl>`,
    workers !== null &&
      html`<table>
        <thead>
          <tr>
            <th>Worker</th>
            <th class="num">Process</th>
            <th class="num">Connections</th>
            <th>State</th>
          </tr>
        </thead>
        <tbody>
          ${workers.map(
            ({ number, pid, configuration, connections, falls }) =>
              html`<tr class="${configuration === null && 'bad'}">
                <td>${number}</td>
                <td class="num" data-name="process">${pid ?? '–'}</td>
                <td class="num" data-name="connections">${count(connections)}</td>
                <td>
                  ${configuration === null ? pill('bad', falls > 0 ? `fell ${falls} times` : 'starting') : html`<code>${configuration.slice(0, 12)}</code>`}
                </td>
              </tr>`,
          )}
        </tbody>
      </table>`,
  ]);
}

function listenersOf({ listeners }: Snapshot): [string, string][] {
  const where = ({ address, port }: { address: string; port: number }): string =>
    `${address.includes(':') ? `[${address}]` : address}:${port}`;
  const { https, http, admin } = listeners;
  return [
    ['https', where(https)],
    ...(http === null ? [] : [['http', where(http)] as [string, string]]),
    ['admin', where(admin)],
  ];
}

export function nothing(text: string): Html {
  return html`<p class="none">${text}</p>`;
}
