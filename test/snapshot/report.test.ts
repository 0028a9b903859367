import t from 'tap';
import type { ClientAuthMode } from '../../src/config/schema.ts';
import { outboundHeadersOf } from '../../src/proxy/headers/outbound.ts';
import { decide } from '../../src/snapshot/decide.ts';
import type { Decision } from '../../src/snapshot/decision.ts';
import { answers, type VerificationReason } from '../../src/snapshot/reason.ts';
import { enforced, reportsOfHost, reportsOfRoute, type Reports } from '../../src/snapshot/report.ts';
import { createRouteTable } from '../../src/snapshot/route-table.ts';
import type { Host, Route, Snapshot } from '../../src/snapshot/snapshot.ts';
import { trustEndedUnder } from '../../src/snapshot/trust-ended.ts';
import { none, success, type Verdict } from '../../src/tls/verdict.ts';
import { AddressRanges, parseCidr } from '../../src/tls/cidr.ts';
import { compileDenyList } from '../../src/policy/deny-list.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { judgedUnder, testHostAuth } from '../support/client-auth.ts';
import { aConnection, anIdentity } from '../support/identity.ts';
import { testRoute } from '../support/route.ts';
import { testSnapshot } from '../support/snapshot.ts';

const now = Date.UTC(2026, 10, 24);
const all: Reports = { certificate: true, hostPolicy: true, routePolicy: true };

function policyOf(ou: string): Policy {
  const compiled = compilePolicy({ ou }, '/policy');
  if (!('policy' in compiled)) throw new Error('no policy');
  return compiled.policy;
}

interface Setting {
  readonly reports?: Reports;
  readonly hostReports?: Reports;
  readonly mode?: ClientAuthMode;
  readonly hostPolicy?: string;
  readonly routePolicy?: string;
  readonly route?: Partial<Route>;
}

function snapshotOf(setting: Setting = {}): Snapshot {
  const { reports = all, hostReports = reports, mode = 'require' } = setting;
  const clientAuth = testHostAuth(mode, 'key');
  const host: Host = {
    id: 'a.test',
    names: ['a.test'],
    certificate: { cert: '', key: '' },
    stapling: null,
    clientAuth,
    policy: setting.hostPolicy === undefined ? null : policyOf(setting.hostPolicy),
    reports: hostReports,
    routes: createRouteTable([
      testRoute('a.test', '/app', {
        clientAuth,
        reports,
        policy: setting.routePolicy === undefined ? null : policyOf(setting.routePolicy),
        identityHeaders: { dialects: ['nginx'], certificate: true, templates: new Map() },
        ...setting.route,
      }),
    ]),
    judgesPaths: true,
  };
  return testSnapshot([host]);
}

const connectionWith = (verdict: Verdict, more: Parameters<typeof aConnection>[0] = {}) =>
  aConnection({
    trustKey: 'require key',
    judged: judgedUnder('key', verdict),
    ...(verdict.status === 'none' ? { identity: null } : {}),
    ...more,
  });

const failedBy = (reason: VerificationReason): Verdict => ({
  status: 'failed',
  reason,
  detail: 'x',
  untrustedOnly: false,
});

function ask(snapshot: Snapshot, connection = connectionWith(success), path = '/app', at = now): Decision {
  const head = { method: 'GET', path, query: '', host: 'a.test', authority: 'a.test' };
  return decide(snapshot, connection, head, at);
}

await t.test(
  'each refusal of the certificate check: which report mode goes by, and which never',
  async (t) => {
    const firm = new Set(['revoked', 'malformed_cert']);
    const verdicts: readonly VerificationReason[] = [
      'untrusted',
      'self_signed',
      'expired',
      'not_yet_valid',
      'revoked',
      'crl_expired',
      'crl_missing',
      'bad_purpose',
      'weak_key',
      'chain_too_long',
      'path_len',
      'name_constraint',
      'malformed_cert',
      'ocsp_unknown',
      'ocsp_unavailable',
      'other',
    ];
    for (const reason of verdicts) {
      const connection = connectionWith(failedBy(reason));
      t.match(
        ask(snapshotOf({ reports: enforced }), connection),
        { reason, status: answers[reason].status },
        reason,
      );
      const decision = ask(snapshotOf(), connection);
      if (firm.has(reason)) {
        t.match(decision, { action: 'respond', reason }, `${reason} is refused all the same`);
        t.notOk(decision.wouldDeny, reason);
      } else {
        const wouldDeny = { check: 'certificate', reason, status: 400, unverified: true };
        t.match(decision, { action: 'forward', wouldDeny }, `${reason} is served`);
      }
    }
    t.match(ask(snapshotOf(), connectionWith(none)), {
      action: 'forward',
      wouldDeny: { check: 'certificate', reason: 'no_certificate', status: 400 },
    });
    const unreadable = connectionWith(failedBy('untrusted'), { identity: null });
    t.match(ask(snapshotOf(), unreadable), { reason: 'malformed_cert' });
  },
);

await t.test('what is no check of a certificate or a policy is refused in report mode as ever', async (t) => {
  const snapshot = snapshotOf({ hostPolicy: 'ITOps' });
  const denied = compileDenyList('deny.yaml', '- { ou: ITOps }');
  if (!('list' in denied)) throw new Error(denied.problems.join());
  t.match(ask(snapshot, connectionWith(success, { trustKey: 'other' })), {
    reason: 'misdirected',
    status: 421,
  });
  t.match(ask(snapshot, connectionWith(success, { judged: new Map() })), { reason: 'misdirected' });
  t.match(ask(snapshot, connectionWith(success, { hostId: 'b.test' })), { reason: 'misdirected' });
  t.match(ask(snapshot, connectionWith(none), '/a%2fb'), { reason: 'bad_path' });
  t.match(ask(snapshot, connectionWith(none), '/..'), { reason: 'bad_path' });
  t.match(ask(snapshot, connectionWith(none), '/nowhere'), { reason: 'no_route' });
  const old = new Map([['key', { verdict: success, chain: [], validUntil: now - 1 }]]);
  t.match(ask(snapshot, connectionWith(success, { judged: old })), { reason: 'ocsp_expired', status: 421 });
  t.match(ask({ ...snapshot, denyList: denied.list }, connectionWith(success)), { reason: 'denied' });
  const allow = new AddressRanges([parseCidr('10.0.0.0/8')!]);
  const addresses = { deny: null, allow };
  const access = { satisfy: 'all', addresses, basicAuth: null, external: null } as const;
  const closed = ask(snapshotOf({ route: { access } }), connectionWith(none));
  t.match(closed, { reason: 'address_denied' });
  t.equal(closed.wouldDeny, undefined, 'it was not let through');
});

await t.test('policies report each for itself, and the first that says no is told', async (t) => {
  const forwards = (setting: Setting, check: string | null, reason: string): void => {
    const decision = ask(snapshotOf(setting));
    if (check === null) t.match(decision, { action: 'respond', reason }, JSON.stringify(setting));
    else t.match(decision, { action: 'forward', wouldDeny: { check, reason, unverified: false } }, check);
  };
  const only = (part: Partial<Reports>): Reports => ({ ...enforced, ...part });
  forwards({ hostPolicy: 'Sales', routePolicy: 'Audit' }, 'host_policy', 'policy_ou');
  forwards({ routePolicy: 'Audit' }, 'route_policy', 'policy_ou');
  forwards({ routePolicy: 'Audit', reports: only({ routePolicy: true }) }, 'route_policy', 'policy_ou');
  forwards(
    { hostPolicy: 'Sales', reports: only({ routePolicy: true, certificate: true }) },
    null,
    'policy_ou',
  );
  forwards(
    { routePolicy: 'Audit', reports: only({ hostPolicy: true, certificate: true }) },
    null,
    'policy_ou',
  );
  t.equal(ask(snapshotOf({ hostPolicy: 'ITOps', routePolicy: 'ITOps' })).wouldDeny, undefined, 'all say yes');
  t.match(
    ask(snapshotOf({ routePolicy: 'ITOps', reports: only({ certificate: true }) }), connectionWith(none)),
    { action: 'respond', reason: 'policy_no_identity' },
    'a policy that refuses is not satisfied by a certificate that was gone by',
  );
  const expired = connectionWith(success, { identity: anIdentity({ notAfter: now - 1 }) });
  t.match(
    ask(snapshotOf({ routePolicy: 'ITOps', reports: only({ certificate: true }) }), expired),
    { action: 'respond', reason: 'policy_no_identity' },
    'nor by one that was verified once and has expired',
  );
});

await t.test('an identity is told to the upstream only where the certificate counts', async (t) => {
  const snapshot = snapshotOf({ routePolicy: 'Audit' });
  const headersFor = (connection: ReturnType<typeof aConnection>): string[] => {
    const decision = ask(snapshot, connection);
    if (decision.action !== 'forward') throw new Error(decision.reason);
    return outboundHeadersOf({
      snapshot,
      connection,
      head: { method: 'GET', path: '/app', query: '', host: 'a.test', authority: 'a.test' },
      route: decision.route,
      wouldDeny: decision.wouldDeny,
      rawHeaders: ['ssl-client-verify', 'SUCCESS', 'ssl-client-subject-dn', 'CN=root'],
      requestId: 'x',
      granted: null,
    }).map((text) => text.toLowerCase());
  };
  const verified = headersFor(connectionWith(success));
  t.ok(verified.includes('success') && verified.includes('ssl-client-subject-dn'), 'only the policy said no');
  for (const [what, connection] of [
    ['no certificate', connectionWith(none)],
    ['untrusted', connectionWith(failedBy('untrusted'))],
    ['expired since its handshake', connectionWith(success, { identity: anIdentity({ notAfter: now - 1 }) })],
  ] as const) {
    const headers = headersFor(connection).join('\n');
    t.notMatch(headers, 'success', what);
    t.notMatch(headers, 'subject-dn', what);
    t.notMatch(headers, 'ssl-client-cert', what);
    t.match(headers, 'ssl-client-verify\nnone', what);
  }
});

await t.test(
  'what a route answers by itself reports too; what is refused behind it was not let through',
  async (t) => {
    const answer = { kind: 'respond', status: 200, contentType: 'text/plain', body: 'x' } as const;
    t.match(ask(snapshotOf({ route: { answer } }), connectionWith(none)), {
      reason: 'route_answer',
      wouldDeny: { reason: 'no_certificate' },
    });
    t.equal(ask(snapshotOf(), connectionWith(none), '/nowhere').wouldDeny, undefined);
  },
);

await t.test('a reload closes nobody that would be served', async (t) => {
  const stranger = connectionWith(failedBy('untrusted'), { hostId: 'a.test' });
  t.equal(trustEndedUnder(snapshotOf({ reports: enforced }))(stranger, now), true);
  t.equal(trustEndedUnder(snapshotOf())(stranger, now), false);
  t.equal(trustEndedUnder(snapshotOf({ hostReports: enforced }))(stranger, now), false, 'at one route');
});

await t.test(
  'a route does as its host unless it says otherwise, and enforcing it enforces the host policy',
  async (t) => {
    const on = { mode: 'report' } as const;
    t.same(reportsOfHost({}), enforced);
    t.same(reportsOfHost(on), { certificate: true, hostPolicy: true, routePolicy: false });
    t.same(reportsOfHost({ ...on, policyMode: 'enforce' }), { ...enforced, certificate: true });
    t.same(reportsOfHost({ policyMode: 'report' }), { ...enforced, hostPolicy: true });
    t.same(reportsOfRoute({}, {}), enforced);
    t.same(reportsOfRoute(on, {}), all);
    t.same(reportsOfRoute(on, { mode: 'enforce' }), enforced);
    t.same(reportsOfRoute({}, on), { certificate: true, hostPolicy: false, routePolicy: true });
    t.same(reportsOfRoute({}, { policyMode: 'report' }), { ...enforced, routePolicy: true });
    t.same(reportsOfRoute(on, { policyMode: 'enforce' }), { ...all, routePolicy: false });
    t.same(reportsOfRoute({ policyMode: 'report' }, {}), { ...enforced, hostPolicy: true });
  },
);
