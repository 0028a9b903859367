import t from 'tap';
import { DenialRecorder } from '../../../src/observe/denials/recorder.ts';
import { BadQuery, readDenialQuery } from '../../../src/observe/denials/filter.ts';
import { type Denial, denialOfHandshake, sizeOf } from '../../../src/observe/denials/record.ts';
import { nearMiss, roughly } from '../../../src/observe/denials/near-miss.ts';
import { Denials } from '../../../src/observe/denials/ring.ts';
import { answers, isDenial } from '../../../src/snapshot/reason.ts';
import {
  forward,
  handshakeEvent,
  requestEvent,
  respond,
  testConnection,
  testHost,
  testIdentity,
} from '../fixture.ts';

const now = Date.UTC(2026, 10, 24, 8);
const host = testHost('a.test');

/** What a call throws. */
function faultOf(call: () => unknown): unknown {
  try {
    call();
    return null;
  } catch (error) {
    return error;
  }
}

/** What a recorder makes of what it is told. */
function recorded(tell: (recorder: DenialRecorder) => void): Denial[] {
  const kept: Denial[] = [];
  tell(
    new DenialRecorder(
      (denial) => kept.push(denial),
      () => now,
    ),
  );
  return kept;
}

function made(changes: Partial<Denial> = {}): Denial {
  const denial = denialOfHandshake(handshakeEvent({ result: 'rejected', reason: 'expired' }), now);
  return { ...denial, ...changes };
}

void t.test('a refused request is recorded with everything that a support call needs', (t) => {
  const refused = respond('policy_ou', host, host.routes.all[0], 'OU was `Sales`, the rule wants `ITOps`');
  t.same(
    recorded((recorder) => recorder.request(requestEvent(refused))),
    [
      {
        time: '2026-11-24T08:00:00.000Z',
        kind: 'request',
        outcome: 'denied',
        id: '0123456789abcdef0123456789abcdef',
        reason: 'policy_ou',
        nearMiss: 'OU was `Sales`, the rule wants `ITOps`',
        status: 403,
        address: '192.0.2.7',
        port: 40_000,
        serverName: 'a.test',
        host: 'a.test',
        route: 'a.test Prefix /',
        authority: 'a.test',
        method: 'GET',
        path: '/things',
        tls: 'TLSv1.3',
        certificate: {
          verified: true,
          subject: 'CN=roshankhatri,OU=ITOps,O=Logpoint Nepal',
          issuer: 'CN=Demo',
          serial: '01AB',
          fingerprint: 'ab'.repeat(32),
          notAfter: '2027-01-01T00:00:00.000Z',
        },
      },
    ],
  );
  t.end();
});

void t.test('what turns nobody away is not recorded', (t) => {
  const quiet = recorded((recorder) => {
    recorder.request(requestEvent(forward(host)));
    recorder.request(requestEvent(forward(host), { status: 0, reason: 'client_abort' }));
    recorder.request(requestEvent(forward(host), { status: 502, reason: 'upstream_refused' }));
    for (const reason of ['redirect_https', 'cors_preflight', 'route_redirect', 'route_answer', 'sign_in']) {
      recorder.request(requestEvent(respond(reason as 'sign_in', host)));
    }
    recorder.handshake(handshakeEvent());
  });
  t.same(quiet, []);
  const denials = Object.keys(answers).filter(isDenial);
  t.ok(denials.includes('denied') && denials.includes('rate_limited') && denials.includes('no_host'));
  t.notOk(denials.some((reason) => reason.startsWith('upstream_') || reason === 'internal'));
  t.notOk(isDenial('toString'));
  t.end();
});

void t.test('a request that was decided to be forwarded, and refused behind that, is a denial', (t) => {
  const [denial] = recorded((recorder) =>
    recorder.request(requestEvent(forward(host), { status: 401, reason: 'unauthorized', detail: 'no user' })),
  );
  t.match(denial, { reason: 'unauthorized', status: 401, nearMiss: 'no user', host: 'a.test' });
  t.end();
});

void t.test('handshakes that failed are recorded; of overloads ten a second', (t) => {
  const denials = recorded((recorder) => {
    recorder.handshake(
      handshakeEvent({ result: 'rejected', reason: 'unknown_sni', detail: 'x', identity: null }),
    );
    for (let count = 0; count < 100; count++) {
      recorder.handshake(handshakeEvent({ result: 'rejected', reason: 'overload', identity: null }));
    }
  });
  t.match(denials[0], {
    kind: 'handshake',
    reason: 'unknown_sni',
    id: null,
    status: null,
    certificate: null,
  });
  t.equal(denials.length, 11);
  t.end();
});

void t.test('text from outside is cut, and a query is left out: it may hold secrets', (t) => {
  const long = 'x'.repeat(100_000);
  const [denial] = recorded((recorder) =>
    recorder.request(
      requestEvent(respond('no_host', null, null, long), {
        id: long,
        method: long,
        authority: long,
        target: `/${long}?token=secret`,
        connection: testConnection({
          serverName: long,
          identity: { ...testIdentity, subjectText: long, issuerText: long, serial: long, notAfter: NaN },
        }),
      }),
    ),
  );
  t.ok(sizeOf(denial!) < 16_384, String(sizeOf(denial!)));
  t.notMatch(JSON.stringify(denial), 'secret');
  t.equal(denial!.certificate!.notAfter, null);
  t.end();
});

void t.test('how near a certificate was: dates in words, everything else as it was decided', (t) => {
  const day = 86_400_000;
  const dated = (notBefore: number, notAfter: number) => ({ ...testIdentity, notBefore, notAfter });
  t.equal(
    nearMiss('expired', 'x', dated(0, now - 3 * day), now),
    'expired since 2026-11-21T08:00:00Z, 3 days ago',
  );
  t.match(nearMiss('expired', 'certificate has expired', dated(0, now + day), now), /a CA certificate above/);
  t.match(nearMiss('not_yet_valid', null, dated(now + 7_200_000, now + day), now), /in 2 hours/);
  t.match(nearMiss('not_yet_valid', null, dated(0, now + day), now), /a CA certificate above/);
  t.equal(
    nearMiss('expired', null, dated(0, -9e15), now),
    'expired since a date beyond all others, 104187448 days ago',
  );
  t.equal(nearMiss('no_certificate', null, null, now), null);
  t.equal(roughly(1), 'less than a minute');
  t.equal(roughly(60_000), '1 minute');
  t.end();
});

void t.test('the last ones stay, as many as there may be and as much as they may take', (t) => {
  const denials = new Denials({ keep: 3, bytes: 1e9 });
  for (let count = 1; count <= 1000; count++) denials.add(made({ id: String(count) }));
  t.same(
    denials.find(() => true, 10).map(({ id, seq }) => `${seq} ${id}`),
    ['1000 1000', '999 999', '998 998'],
  );
  t.match([denials.recorded, denials.kept], [1000, 3]);
  const one = sizeOf(made({ id: '1000' }));
  t.equal(denials.bytes, 3 * one - 4);
  denials.limits = { keep: 3, bytes: one };
  t.same(
    denials.find(() => true, 10).map(({ seq }) => seq),
    [1000],
    'a reload that wants less gives up the oldest',
  );
  denials.add(made({ nearMiss: 'x'.repeat(one) }));
  t.equal(denials.kept, 0, 'one that is larger than all may be is not kept');
  denials.limits = { keep: 0, bytes: 1e9 };
  denials.add(made());
  t.match([denials.recorded, denials.kept, denials.bytes], [1002, 0, 0]);
  t.end();
});

void t.test('whoever subscribed hears of each, until it lets go', (t) => {
  const denials = new Denials({ keep: 0, bytes: 1 });
  const heard: number[] = [];
  const end = denials.subscribe(({ seq }) => heard.push(seq));
  denials.add(made());
  denials.add(made());
  end();
  denials.add(made());
  t.same(heard, [1, 2]);
  t.end();
});

void t.test('filters: each narrows, and one that is not understood is refused', (t) => {
  const denials = new Denials({ keep: 100, bytes: 1e9 });
  denials.add(made({ id: 'one', host: 'a.test', address: '10.1.2.3', reason: 'expired' }));
  denials.add(
    made({ id: 'two', kind: 'request', authority: 'B.test:8443', serverName: 'b.test', host: null }),
  );
  denials.add(made({ id: 'three', outcome: 'report', certificate: null, time: '2026-11-24T07:00:00.000Z' }));
  const ids = (query: string): string => {
    const { fits, limit } = readDenialQuery(new URLSearchParams(query), now);
    return denials
      .find(fits, limit)
      .map(({ id }) => id)
      .join(' ');
  };
  t.equal(ids(''), 'three two one');
  t.equal(ids('id=two'), 'two');
  t.equal(ids('host=b.TEST'), 'two');
  t.equal(ids('host=b.test:8443'), 'two');
  t.equal(ids('address=10.0.0.0/8'), 'one');
  t.equal(ids('address=10.1.2.4'), '');
  t.equal(ids('subject=OU=itops&kind=request'), 'two');
  t.equal(ids(`fingerprint=${'AB:'.repeat(31)}AB&limit=1`), 'two');
  t.equal(ids('reason=revoked,expired&limit=2'), 'three two');
  t.equal(ids('outcome=report'), 'three');
  t.equal(ids('since=15m'), 'two one');
  t.equal(ids('since=2026-11-24T07:59:59Z'), 'two one');
  for (const bad of [
    'hots=a.test',
    '__proto__=1',
    'id=1&id=2',
    'limit=x',
    'limit=1001',
    'limit=-1',
    'since=yesterday',
    'since=2026-99-99',
    'address=a.test',
    'kind=x',
    'outcome=x',
    'follow=no',
    `id=${'x'.repeat(2000)}`,
  ]) {
    t.ok(faultOf(() => ids(bad)) instanceof BadQuery, bad);
  }
  t.end();
});
