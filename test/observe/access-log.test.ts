import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import t from 'tap';
import { judgedUnder } from '../support/client-auth.ts';
import { AccessLog, type LogLevel } from '../../src/observe/access-log.ts';
import type { HandshakeEvent, RequestEvent } from '../../src/observe/observer.ts';
import {
  forward,
  handshakeEvent,
  requestEvent,
  respond,
  testConnection,
  testHost,
  testIdentity,
} from './fixture.ts';

type Line = Record<string, unknown>;

const at = Date.UTC(2026, 8, 7, 6, 5, 4, 3);

function create(level: LogLevel = 'info'): { log: AccessLog; lines: string[]; last: () => Line } {
  const lines: string[] = [];
  const log = new AccessLog({ write: (line) => void lines.push(line) }, level, () => at);
  return { log, lines, last: () => JSON.parse(lines.at(-1)!) as Line };
}

const host = testHost('a.test');

void t.test('a request that went well is one line with all that is known of it', (t) => {
  const { log, lines, last } = create();
  log.request(requestEvent(forward(host)));
  t.equal(lines.length, 1);
  t.match(lines[0], /^[^\n]+\n$/);
  t.same(last(), {
    level: 'info',
    time: '2026-09-07T06:05:04.003Z',
    kind: 'request',
    connection: {
      listener: 'https',
      remote_address: '192.0.2.7',
      remote_port: 40_000,
      local_port: 8443,
      server_name: 'a.test',
      host: 'a.test',
      tls: { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', resumed: false },
      verdict: { status: 'success', reason: null, detail: null },
      identity: {
        subject: 'CN=roshankhatri,OU=ITOps,O=Logpoint Nepal',
        issuer: 'CN=Demo',
        serial: '01AB',
        fingerprint: 'ab'.repeat(32),
        not_after: '2027-01-01T00:00:00.000Z',
        not_before: '2026-01-01T00:00:00.000Z',
        spki: 'ef'.repeat(32),
        sha1: 'cd'.repeat(20),
        names: { dns: [], uri: [], email: [], ip: [] },
        names_cut: false,
      },
      stores: [{ store: 'trust of a.test', verdict: 'success', issuers: [] }],
    },
    request: {
      id: '0123456789abcdef0123456789abcdef',
      method: 'GET',
      authority: 'a.test',
      target: '/things?x=1',
      user_agent: 'curl/8.5.0',
      host: 'a.test',
      route: 'a.test Prefix /',
      action: 'forward',
      decision: 'ok',
      reason: 'ok',
      detail: null,
      would_deny: null,
      status: 200,
      bytes_received: 10,
      bytes_sent: 200,
      duration_ms: 4,
      upgrade: false,
      upstream: { name: 'backend', endpoint: '127.0.0.1:8000', tries: 1, status: 200, head_ms: 3 },
    },
  });
  t.end();
});

void t.test('a refusal is a warning with the reason and the detail of its Decision', (t) => {
  const { log, last } = create();
  log.request(requestEvent(respond('policy_ou', host, null, 'OU was `Sales`, the rule wants `ITOps`')));
  const line = last();
  t.equal(line['level'], 'warn');
  t.match(line['request'], {
    action: 'respond',
    decision: 'policy_ou',
    reason: 'policy_ou',
    detail: 'OU was `Sales`, the rule wants `ITOps`',
    route: null,
    upstream: null,
  });
  t.end();
});

void t.test('a client without a certificate, TLS or a host is logged with nulls', (t) => {
  const { log, last } = create();
  const connection = testConnection({
    listener: 'http',
    serverName: null,
    hostId: null,
    judged: judgedUnder('trust of a.test', { status: 'none' }),
    identity: null,
    tlsVersion: null,
    cipher: null,
  });
  log.request(requestEvent(respond('no_host', null), { connection, userAgent: null }));
  t.match(last()['connection'], { tls: null, identity: null, server_name: null, host: null });
  t.match(last()['request'], { host: null, route: null, user_agent: null });
  t.end();
});

void t.test('what verification said of the certificate is in every line of the connection', (t) => {
  const { log, lines } = create();
  const connection = testConnection({
    judged: judgedUnder('trust of a.test', {
      status: 'failed',
      reason: 'expired',
      detail: 'certificate has expired',
      untrustedOnly: false,
    }),
  });
  for (let index = 0; index < 3; index++) {
    log.request(requestEvent(respond('expired', host), { connection }));
  }
  log.request(requestEvent(forward(host)));
  const verdicts = lines.map((line) => (JSON.parse(line) as { connection: Line }).connection['verdict']);
  const expired = { status: 'failed', reason: 'expired', detail: 'certificate has expired' };
  t.same(verdicts, [expired, expired, expired, { status: 'success', reason: null, detail: null }]);
  t.end();
});

void t.test('answers of 500 and truncated responses are errors, redirects and client aborts are not', (t) => {
  const { log, last } = create();
  const levelOf = (event: RequestEvent): unknown => {
    log.request(event);
    return last()['level'];
  };
  t.equal(levelOf(requestEvent(forward(host), { status: 502, reason: 'upstream_refused' })), 'error');
  t.equal(levelOf(requestEvent(forward(host), { reason: 'upstream_truncated' })), 'error');
  t.equal(levelOf(requestEvent(forward(host), { status: 0, reason: 'client_abort' })), 'info');
  t.equal(levelOf(requestEvent(respond('redirect_https', host))), 'info');
  t.equal(levelOf(requestEvent(respond('cors_preflight', host))), 'info');
  t.equal(levelOf(requestEvent(respond('expired', host))), 'warn');
  t.end();
});

void t.test('a failed handshake is one line, an accepted one none', (t) => {
  const { log, lines, last } = create();
  log.handshake(handshakeEvent());
  t.same(lines, []);
  log.handshake(
    handshakeEvent({
      result: 'rejected',
      reason: 'untrusted',
      detail: 'unable to get local issuer certificate',
      tlsVersion: null,
      cipher: null,
      offer: {
        versions: [0x0304, 0x0303, 0x7f1c],
        alpn: ['h2', 'http/1.1'],
        signatureAlgorithms: [0x0403, 0x0804],
        ja4: 't13d1516h2_8daaf6152771_e5627efa2ab1',
      },
    }),
  );
  t.equal(lines.length, 1);
  t.same(last(), {
    level: 'warn',
    time: '2026-09-07T06:05:04.003Z',
    kind: 'handshake',
    connection: {
      listener: 'https',
      remote_address: '192.0.2.7',
      remote_port: 40_000,
      server_name: 'a.test',
      host: 'a.test',
      tls: null,
      identity: {
        subject: testIdentity.subjectText,
        issuer: 'CN=Demo',
        serial: '01AB',
        fingerprint: 'ab'.repeat(32),
        not_after: '2027-01-01T00:00:00.000Z',
      },
    },
    handshake: {
      result: 'rejected',
      reason: 'untrusted',
      detail: 'unable to get local issuer certificate',
      duration_ms: 7,
      offer: {
        versions: ['TLSv1.3', 'TLSv1.2', '0x7f1c'],
        alpn: ['h2', 'http/1.1'],
        signature_algorithms: ['0x0403', '0x0804'],
        ja4: 't13d1516h2_8daaf6152771_e5627efa2ab1',
      },
    },
  });
  t.end();
});

void t.test('reloads, ejections and health changes have their lines', (t) => {
  const { log, last } = create();
  log.reload({ result: 'success', version: 'abc', problems: [] });
  t.match(last(), {
    level: 'info',
    kind: 'reload',
    reload: { result: 'success', version: 'abc', problems: [] },
  });
  log.reload({ result: 'failure', version: null, problems: Array.from({ length: 50 }, (_, i) => `p${i}`) });
  const { reload } = last() as { reload: { problems: string[] } };
  t.equal(last()['level'], 'error');
  t.equal(reload.problems.length, 21);
  t.equal(reload.problems.at(-1), 'and 30 more');
  const endpoint = { upstream: 'backend', endpoint: '127.0.0.1:8000' };
  log.upstream({ kind: 'ejected', ...endpoint, forMs: 1500 });
  t.match(last(), {
    level: 'warn',
    upstream: { event: 'ejected', name: 'backend', for_ms: 1500, detail: null },
  });
  log.upstream({ kind: 'readmitted', ...endpoint });
  t.match(last(), { level: 'info', upstream: { event: 'readmitted', for_ms: null } });
  log.upstream({ kind: 'unhealthy', ...endpoint, detail: 'status 500' });
  t.match(last(), { level: 'warn', upstream: { event: 'unhealthy', detail: 'status 500' } });
  log.upstream({ kind: 'healthy', ...endpoint, detail: 'status 200' });
  t.match(last(), { level: 'info', upstream: { event: 'healthy' } });
  log.upstream({ kind: 'retry', ...endpoint, detail: 'refused' });
  t.match(last(), { level: 'info', upstream: { event: 'retry', detail: 'refused' } });
  t.end();
});

void t.test('what happens to the program is said in words, and no word is taken for a format', (t) => {
  const { log, last } = create();
  log.program('info', 'listening on 100%s %j', { port: 8443 });
  t.match(last(), { level: 'info', kind: 'program', message: 'listening on 100%s %j', port: 8443 });
  t.end();
});

void t.test('the level chooses the lines, and requests can be left out altogether', (t) => {
  const { log, lines } = create('warn');
  log.request(requestEvent(forward(host)));
  log.reload({ result: 'success', version: 'abc', problems: [] });
  t.equal(lines.length, 0);
  log.request(requestEvent(respond('expired', host)));
  t.equal(lines.length, 1);
  log.requests = false;
  log.request(requestEvent(respond('expired', host)));
  t.equal(lines.length, 1);
  log.handshake(handshakeEvent({ result: 'rejected', reason: 'timeout' }));
  t.equal(lines.length, 2, 'failed handshakes are no access');
  const silent = create('silent');
  silent.log.handshake(handshakeEvent({ result: 'rejected', reason: 'timeout' }));
  t.equal(silent.lines.length, 0);
  t.end();
});

void t.test('the time of a line is right across the second', (t) => {
  const lines: string[] = [];
  let now = 0;
  const log = new AccessLog({ write: (line) => void lines.push(line) }, 'info', () => now);
  const times = [at, at + 996, at + 997, at + 60_000, at - 1, Date.UTC(1999, 11, 31, 23, 59, 59, 999)];
  for (now of times) log.program('info', 'x');
  t.same(
    lines.map((line) => (JSON.parse(line) as Line)['time']),
    times.map((time) => new Date(time).toISOString()),
  );
  t.end();
});

/** Text as a client may send it: every UTF-16 unit there is, lone surrogates, controls and JSON's own marks. */
const hostile = fc.oneof(
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) }),
  fc.string({
    unit: fc.constantFrom('"', '\\', '\n', '\r', '\0', '\u001b[2J', '\u2028', '\ud800', '}', ','),
  }),
  fc.constantFrom('x'.repeat(100_000), '\ud83d\ude00'.repeat(50_000), '\u0000'.repeat(100_000)),
);

void t.test(
  'whatever a client sends, a line is one line of valid JSON, bounded, with the text intact',
  (t) => {
    const { log, lines } = create();
    fc.assert(
      fc.property(hostile, (text) => {
        lines.length = 0;
        const identity = {
          ...testIdentity,
          subjectText: text,
          issuerText: text,
          serial: text,
          notAfter: Infinity,
        };
        const connection = testConnection({
          serverName: text,
          identity,
          judged: judgedUnder('trust of a.test', {
            status: 'failed',
            reason: 'other',
            detail: text,
            untrustedOnly: false,
          }),
        });
        const decision = respond('bad_path', null, null, text);
        const upstream = { upstream: text, endpoint: text, tries: 1, headMs: null, status: null };
        const fields = { method: text, authority: text, target: text, userAgent: text };
        log.request(requestEvent(decision, { ...fields, id: text, connection, upstream }));
        log.handshake(
          handshakeEvent({
            result: 'rejected',
            reason: 'protocol',
            serverName: text,
            detail: text,
            identity,
            remoteAddress: text,
            offer: {
              versions: Array.from({ length: 9999 }, (_, code) => code),
              alpn: Array.from({ length: 9999 }, () => text),
              signatureAlgorithms: Array.from({ length: 9999 }, (_, code) => code),
              ja4: text,
            },
          } satisfies Partial<HandshakeEvent>),
        );
        log.upstream({ kind: 'retry', upstream: text, endpoint: text, detail: text });
        log.reload({ result: 'failure', version: null, problems: [text] });
        assert.equal(lines.length, 4);
        for (const line of lines) {
          assert.equal(line.indexOf('\n'), line.length - 1);
          assert.ok(line.isWellFormed());
          // Six characters for each of a control character's.
          assert.ok(line.length < 6 * 16_000, `${line.length}`);
          assert.ok(!/[\u0000-\u0009\u000b-\u001f]/.test(line));
          JSON.parse(line);
        }
        if (text.length <= 32) {
          const { request } = JSON.parse(lines[0]!) as { request: Line };
          assert.equal(request['method'], text);
          assert.equal(request['target'], text);
          assert.equal(request['detail'], text);
        }
      }),
      { numRuns: 300 },
    );
    t.end();
  },
);
