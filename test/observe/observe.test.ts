import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { AccessLog } from '../../src/observe/access-log.ts';
import { Metrics } from '../../src/observe/metrics.ts';
import { createObservability, createObserver } from '../../src/observe/observe.ts';
import type { Observer } from '../../src/observe/observer.ts';
import {
  forward,
  handshakeEvent,
  requestEvent,
  respond,
  testHost,
  testSnapshot,
  valueOf,
} from './fixture.ts';

const host = testHost('a.test');

/** Every kind of event there is, once. */
function tellAll(observer: Observer): void {
  observer.handshake(handshakeEvent({ result: 'rejected', reason: 'expired' }));
  observer.request(requestEvent(forward(host)));
  observer.connectionOpened('https');
  observer.connectionClosed('https');
  observer.connectionRefused({
    listener: 'https',
    reason: 'overload',
    detail: 'too many',
    remoteAddress: '192.0.2.1',
  });
  observer.connectionEnded({ listener: 'https', reason: 'unused' });
  observer.ocsp({
    host: 'a.test',
    result: 'unavailable',
    passed: true,
    remoteAddress: '192.0.2.1',
    identity: null,
    detail: null,
  });
  observer.staple({ host: 'a.test', nextUpdate: null, detail: 'x' });
  observer.upstream({ kind: 'readmitted', upstream: 'backend', endpoint: '127.0.0.1:8000' });
  observer.reload({ result: 'success', version: 'x', problems: [] });
}

void t.test('a log that throws breaks no request, no metric, and is counted', async (t) => {
  const metrics = new Metrics({ version: '1', process: false });
  metrics.describeSnapshot(testSnapshot([host]));
  const log = new AccessLog({
    write() {
      throw new Error('no log');
    },
  });
  const observer = createObserver({ metrics, log });
  t.doesNotThrow(() => tellAll(observer));
  const page = await metrics.render();
  t.equal(valueOf(page, 'mtls_observer_errors_total'), 6);
  t.equal(valueOf(page, 'mtls_requests_total', { status: '200' }), 1);
});

void t.test('further observers hear every event, whatever another one does', (t) => {
  const heard: string[] = [];
  const names = [
    'handshake',
    'request',
    'connectionOpened',
    'connectionClosed',
    'connectionRefused',
    'connectionEnded',
    'ocsp',
    'staple',
    'upstream',
    'reload',
  ] as const;
  const recorder = Object.fromEntries(names.map((name) => [name, () => heard.push(name)]));
  const thrower = Object.fromEntries(
    names.map((name) => [
      name,
      () => {
        throw new Error(name);
      },
    ]),
  );
  const metrics = new Metrics({ version: '1', process: false });
  const log = new AccessLog({ write() {} });
  const more = [thrower, recorder] as unknown as Observer[];
  tellAll(createObserver({ metrics, log, more }));
  t.same(heard, names);
  t.end();
});

void t.test('everything together: counted, logged, flushed on close', async (t) => {
  const path = join(t.testdir(), 'log');
  const fd = openSync(path, 'w');
  const observability = createObservability({ sink: { fd } });
  const { observer, metrics } = observability;
  t.equal(observability.lastReload(), null);
  observability.describe(testSnapshot([host]));
  tellAll(observer);
  t.match(observability.lastReload(), { result: 'success', version: 'x', time: /Z$/ });
  observability.describe(testSnapshot([host], { accessLog: false }));
  observer.request(requestEvent(respond('expired', host)));
  await observability.close();
  closeSync(fd);
  const kinds = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { kind: string }).kind);
  t.same(kinds, ['handshake', 'request', 'program', 'program', 'upstream', 'reload']);
  const page = await metrics.render();
  t.equal(valueOf(page, 'mtls_refusals_total', { host: 'a.test', reason: 'expired' }), 1);
  t.match(page, /mtls_build_info\{version="\d+\.\d+\.\d+"/);
});

void t.test('lines that the log drops show in the metrics', async (t) => {
  const fd = openSync('/dev/full', 'w');
  const observability = createObservability({ sink: { fd } });
  const { observer, metrics } = observability;
  tellAll(observer);
  await observability.close();
  observer.reload({ result: 'failure', version: null, problems: [] });
  closeSync(fd);
  t.equal(valueOf(await metrics.render(), 'mtls_log_lines_dropped_total', { reason: 'error' }), 7);
});
