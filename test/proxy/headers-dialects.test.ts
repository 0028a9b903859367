import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import t from 'tap';
import type { Dialect } from '../../src/config/schema.ts';
import type { Proof, WriteDialect } from '../../src/proxy/headers/dialects/dialect.ts';
import { writeHaproxy } from '../../src/proxy/headers/dialects/haproxy.ts';
import { writeNginx } from '../../src/proxy/headers/dialects/nginx.ts';
import { writeRfc9440 } from '../../src/proxy/headers/dialects/rfc9440.ts';
import { writeTraefik } from '../../src/proxy/headers/dialects/traefik.ts';
import { writeXfcc } from '../../src/proxy/headers/dialects/xfcc.ts';
import { allDialectHeaderNames, foldHeaderName } from '../../src/proxy/headers/names.ts';
import { attributeTypeName } from '../../src/tls/attribute-type.ts';
import type { Identity } from '../../src/tls/identity.ts';
import { none, success, type VerdictFailed } from '../../src/tls/verdict.ts';
import { aName, anIdentity } from '../support/identity.ts';
import {
  allEscapes,
  decodePercent,
  readHexEscapes,
  readRfc2253,
  readSlashStyle,
  readTraefikInfo,
  readTraefikName,
  readXfcc,
  toMap,
} from './headers/decode.ts';
import { hostileIdentity, pairsOf } from './headers/hostile.ts';

const writers: Readonly<Record<Dialect, WriteDialect>> = {
  nginx: writeNginx,
  xfcc: writeXfcc,
  rfc9440: writeRfc9440,
  traefik: writeTraefik,
  haproxy: writeHaproxy,
};
const proven = (identity: Identity, certificate = false): Proof => ({
  verdict: success,
  identity,
  certificate,
});
const untrusted: VerdictFailed = {
  status: 'failed',
  reason: 'untrusted',
  detail: 'unable to verify the first certificate',
  untrustedOnly: true,
};
const runs = { numRuns: 500 };

/** A certificate whose base64 has `+`, `/` and `=` in it. */
const der = Uint8Array.from({ length: 64 }, (_, index) => (index * 83 + 250) % 256);
const pem = Buffer.from(der).toString('base64');

void t.test('nginx: a verified client', async (t) => {
  t.strictSame(writeNginx(proven(anIdentity())), [
    'ssl-client-verify',
    'SUCCESS',
    'ssl-client-subject-dn',
    'CN=roshankhatri,OU=ITOps,O=Logpoint Nepal,L=Lalitpur,ST=Nepal,C=NP',
    'ssl-client-issuer-dn',
    'CN=Root A,O=Logpoint Nepal,C=NP',
  ]);
});

void t.test('nginx: the certificate is PEM, percent-encoded as NGX_ESCAPE_URI_COMPONENT does', async (t) => {
  const headers = toMap(writeNginx(proven(anIdentity({ der }), true)));
  const body = `${pem.slice(0, 64)}%0A${pem.slice(64)}`
    .replaceAll('+', '%2B')
    .replaceAll('/', '%2F')
    .replaceAll('=', '%3D');
  t.match(pem, /\+/);
  t.match(pem, /\//);
  t.match(pem, /=/);
  t.equal(
    headers.get('ssl-client-cert'),
    `-----BEGIN%20CERTIFICATE-----%0A${body}%0A-----END%20CERTIFICATE-----%0A`,
  );
});

void t.test('nginx: no certificate, and one that failed but passed optional_no_ca', async (t) => {
  t.strictSame(writeNginx({ verdict: none, identity: null, certificate: true }), [
    'ssl-client-verify',
    'NONE',
  ]);
  t.strictSame(writeNginx({ verdict: untrusted, identity: anIdentity(), certificate: false }), [
    'ssl-client-verify',
    'FAILED:unable to verify the first certificate',
    'ssl-client-subject-dn',
    'CN=roshankhatri,OU=ITOps,O=Logpoint Nepal,L=Lalitpur,ST=Nepal,C=NP',
    'ssl-client-issuer-dn',
    'CN=Root A,O=Logpoint Nepal,C=NP',
  ]);
  t.strictSame(writeNginx({ verdict: untrusted, identity: null, certificate: true }), [
    'ssl-client-verify',
    'FAILED:unable to verify the first certificate',
  ]);
});

void t.test('nginx: success without a certificate is told as none', async (t) => {
  t.strictSame(writeNginx({ verdict: success, identity: null, certificate: true }), [
    'ssl-client-verify',
    'NONE',
  ]);
});

void t.test('nginx: an empty subject sends no header, as nginx sends no empty ones', async (t) => {
  const headers = toMap(writeNginx(proven(anIdentity({ subject: [] }))));
  t.equal(headers.get('ssl-client-verify'), 'SUCCESS');
  t.notOk(headers.has('ssl-client-subject-dn'));
});

void t.test('nginx: a reason that is no header text cannot break the header', async (t) => {
  const detail = 'bad\r\nssl-client-verify: SUCCESS';
  const [, value] = writeNginx({ verdict: { ...untrusted, detail }, identity: null, certificate: false });
  t.equal(value, 'FAILED:bad\\0D\\0Assl-client-verify: SUCCESS');
});

void t.test("nginx: the names read as RFC 2253 are the certificate's, whatever is in them", async () => {
  fc.assert(
    fc.property(hostileIdentity, (identity) => {
      const headers = toMap(writeNginx(proven(identity, true)));
      const cert = decodeURIComponent(headers.get('ssl-client-cert') ?? '').replaceAll(
        /-----[^-]*-----|\n/g,
        '',
      );
      return (
        sameRfc2253(headers.get('ssl-client-subject-dn'), identity.subject) &&
        sameRfc2253(headers.get('ssl-client-issuer-dn'), identity.issuer) &&
        Buffer.from(cert, 'base64').equals(identity.der)
      );
    }),
    runs,
  );
});

void t.test("xfcc: a verified client, in Envoy's order", async (t) => {
  const identity = anIdentity({
    der,
    san: { uri: ['spiffe://cluster.local/ns/a/sa/b'], dns: ['a.test', 'b.test'] },
  });
  t.strictSame(writeXfcc(proven(identity)), [
    'x-forwarded-client-cert',
    `Hash=${identity.sha256};Subject="CN=roshankhatri,OU=ITOps,O=Logpoint Nepal,L=Lalitpur,ST=Nepal,C=NP";` +
      'URI=spiffe://cluster.local/ns/a/sa/b;DNS=a.test;DNS=b.test',
  ]);
  const [, value = ''] = writeXfcc(proven(identity, true));
  t.match(value, /^Hash=[0-9a-f]{64};Cert="-----BEGIN%20CERTIFICATE-----%0A[^"]*%0A";Subject="/);
});

void t.test('xfcc: Subject and URI are there even when empty', async (t) => {
  const identity = anIdentity({ subject: [] });
  t.strictSame(writeXfcc(proven(identity)), [
    'x-forwarded-client-cert',
    `Hash=${identity.sha256};Subject="";URI=`,
  ]);
});

void t.test(
  'xfcc: a subject with quotes and backslashes stays one value to every kind of reader',
  async (t) => {
    for (const cn of ['a"b', 'a\\', 'a\\"', '";Hash=0,By="', '\\\\', 'a";URI="x', ' " ']) {
      const [, value = ''] = writeXfcc(proven(anIdentity({ subject: aName(['CN', cn]) })));
      for (const escapes of [undefined, allEscapes]) {
        t.strictSame(
          readXfcc(value, escapes)[0]?.map(([key]) => key),
          ['Hash', 'Subject', 'URI'],
          JSON.stringify(cn),
        );
      }
      t.strictSame(
        readRfc2253(new Map(readXfcc(value)[0]).get('Subject') ?? ''),
        [['CN', cn]],
        JSON.stringify(cn),
      );
    }
  },
);

void t.test("xfcc: one element with the certificate's fields, whatever is in them", async () => {
  fc.assert(
    fc.property(hostileIdentity, fc.boolean(), (identity, certificate) => {
      const [, value = ''] = writeXfcc(proven(identity, certificate));
      const keys = [
        'Hash',
        ...(certificate ? ['Cert'] : []),
        'Subject',
        ...(identity.san.uri.length === 0 ? ['URI'] : identity.san.uri.map(() => 'URI')),
        ...identity.san.dns.map(() => 'DNS'),
      ];
      const byTheBook = readXfcc(value);
      const [fields = [], ...others] = byTheBook;
      const valuesOf = (wanted: string): string[] =>
        fields.flatMap(([key, text]) => (key === wanted ? [text] : []));
      return (
        others.length === 0 &&
        isDeepStrictEqual(
          fields.map(([key]) => key),
          keys,
        ) &&
        isDeepStrictEqual(
          readXfcc(value, allEscapes).map((element) => element.map(([key]) => key)),
          [keys],
        ) &&
        valuesOf('Hash')[0] === identity.sha256 &&
        sameRfc2253(valuesOf('Subject')[0], identity.subject) &&
        isDeepStrictEqual(valuesOf('DNS').map(decodePercent), identity.san.dns) &&
        (identity.san.uri.length === 0 ||
          isDeepStrictEqual(valuesOf('URI').map(decodePercent), identity.san.uri.map(decodePercent)))
      );
    }),
    runs,
  );
});

void t.test('rfc9440: a Byte Sequence with the certificate and nothing else', async (t) => {
  t.strictSame(writeRfc9440(proven(anIdentity({ der }))), ['Client-Cert', `:${pem}:`]);
  fc.assert(
    fc.property(hostileIdentity, (identity) => {
      const [name, value = '', ...others] = writeRfc9440(proven(identity));
      const match = /^:([A-Za-z0-9+/]*={0,2}):$/.exec(value);
      return (
        name === 'Client-Cert' &&
        others.length === 0 &&
        Buffer.from(match?.[1] ?? '', 'base64').equals(identity.der)
      );
    }),
    runs,
  );
});

void t.test('traefik: a verified client', async (t) => {
  const identity = anIdentity({
    der,
    serial: '0A',
    san: { dns: ['a.test'], email: ['x@a.test'], ip: ['::1'] },
  });
  t.strictSame(writeTraefik(proven(identity, true)), [
    'X-Forwarded-Tls-Client-Cert-Info',
    'Subject%3D%22C%3DNP%2CST%3DNepal%2CL%3DLalitpur%2CO%3DLogpoint+Nepal%2COU%3DITOps%2CCN%3Droshankhatri%22%3B' +
      'Issuer%3D%22C%3DNP%2CO%3DLogpoint+Nepal%2CCN%3DRoot+A%22%3BSerialNumber%3D%2210%22%3B' +
      'NB%3D%221767225600%22%3BNA%3D%221798761600%22%3BSAN%3D%22a.test%2Cx%40a.test%2C%3A%3A1%22',
    'X-Forwarded-Tls-Client-Cert',
    pem,
  ]);
  t.equal(writeTraefik(proven(identity)).length, 2, 'the certificate only where it is asked for');
});

void t.test(
  'traefik: values stay values, also to a reader that knows no quotes and does not decode',
  async () => {
    const order = ['DC', 'C', 'ST', 'L', 'O', 'OU', 'serialNumber', 'CN'];
    const expected = (name: Identity['subject'], types: readonly string[]): [string, string][] =>
      types.flatMap((type) =>
        pairsOf(name, attributeTypeName)
          .filter(([found]) => found === type)
          .map(([, value]): [string, string] => [type === 'serialNumber' ? 'SN' : type, value]),
      );
    fc.assert(
      fc.property(hostileIdentity, (identity) => {
        const [, header = ''] = writeTraefik(proven(identity));
        const fields = readTraefikInfo(header);
        const field = new Map(fields);
        const subject = expected(identity.subject, order);
        const issuer = expected(
          identity.issuer,
          order.filter((type) => type !== 'OU'),
        );
        const { dns, email, ip, uri } = identity.san;
        const sans = [...dns, ...email, ...ip, ...uri];
        const naive = decodeURIComponent(header.replaceAll('+', '%20'));
        return (
          fields.length === field.size &&
          naive.split(';').length === fields.length &&
          naive.split('"').length === fields.length * 2 + 1 &&
          isDeepStrictEqual(
            field.has('Subject') ? readTraefikName(field.get('Subject') ?? '') : [],
            subject,
          ) &&
          isDeepStrictEqual(field.has('Issuer') ? readTraefikName(field.get('Issuer') ?? '') : [], issuer) &&
          (field.get('Subject') ?? '').split('=').length - 1 === subject.length &&
          field.get('SerialNumber') === decimal(identity.serial) &&
          isDeepStrictEqual(
            field.has('SAN') ? (field.get('SAN') ?? '').split(',').map(decodePercent) : [],
            sans,
          )
        );
      }),
      runs,
    );
  },
);

void t.test('haproxy: a verified client', async (t) => {
  const identity = anIdentity({ der });
  t.strictSame(writeHaproxy(proven(identity, true)), [
    'X-SSL-Client-CN',
    'roshankhatri',
    'X-SSL-Client-DN',
    '/C=NP/ST=Nepal/L=Lalitpur/O=Logpoint Nepal/OU=ITOps/CN=roshankhatri',
    'X-SSL-Client-SHA1',
    identity.sha1.toUpperCase(),
    'X-SSL-Client-SHA2',
    identity.sha256.toUpperCase(),
    'X-SSL-Client-Cert',
    pem,
  ]);
  t.notOk(toMap(writeHaproxy(proven(identity))).has('x-ssl-client-cert'));
});

void t.test("haproxy: the DN's entries are the certificate's, whatever is in them", async () => {
  fc.assert(
    fc.property(hostileIdentity, (identity) => {
      const headers = toMap(writeHaproxy(proven(identity)));
      const pairs = pairsOf(identity.subject, attributeTypeName);
      const cn = pairs.find(([type]) => type === 'CN')?.[1];
      const name = headers.get('x-ssl-client-dn');
      return (
        isDeepStrictEqual(name === undefined ? [] : readSlashStyle(name), pairs) &&
        (cn === undefined
          ? !headers.has('x-ssl-client-cn')
          : readHexEscapes(headers.get('x-ssl-client-cn') ?? '') === cn)
      );
    }),
    runs,
  );
});

void t.test('no dialect but nginx says anything of a certificate that is not verified', async (t) => {
  for (const verdict of [none, untrusted]) {
    for (const [dialect, write] of Object.entries(writers)) {
      const headers = write({ verdict, identity: anIdentity(), certificate: true });
      if (dialect !== 'nginx') t.strictSame(headers, [], `${dialect}, ${verdict.status}`);
    }
  }
  for (const [dialect, write] of Object.entries(writers)) {
    const headers = write({ verdict: success, identity: null, certificate: true });
    if (dialect !== 'nginx') t.strictSame(headers, [], `${dialect}, success without a certificate`);
  }
});

void t.test('every value is a header value, whatever the certificate holds', async () => {
  fc.assert(
    fc.property(
      hostileIdentity,
      fc.constantFrom(success, none, untrusted),
      fc.boolean(),
      (identity, verdict, certificate) =>
        Object.values(writers).every((write) =>
          [...toMap(write({ verdict, identity, certificate })).values()].every((value) =>
            /^[!-~](?:[ -~]*[!-~])?$/.test(value),
          ),
        ),
    ),
    runs,
  );
});

void t.test('every header that a dialect writes is one that is taken off inbound requests', async (t) => {
  for (const write of Object.values(writers)) {
    for (const name of toMap(write(proven(anIdentity(), true))).keys()) {
      t.ok(allDialectHeaderNames.has(foldHeaderName(name)), name);
    }
  }
});

void t.test('a value that is no Unicode text is written, not thrown at', async (t) => {
  const identity = anIdentity({
    subject: aName(['CN', 'a\uD800b']),
    san: { dns: ['\uDC00'], uri: ['\uD83D'] },
  });
  for (const [dialect, write] of Object.entries(writers))
    t.ok(write(proven(identity, true)).length >= 2, dialect);
});

function sameRfc2253(text: string | undefined, name: Identity['subject']): boolean {
  const expected = name
    .toReversed()
    .flatMap((rdn) => rdn.toReversed().map(({ oid, value }) => [attributeTypeName(oid), value]));
  return isDeepStrictEqual(text === undefined ? [] : readRfc2253(text), expected);
}

function decimal(serial: string): string {
  const negative = serial.startsWith('-');
  return `${negative ? '-' : ''}${BigInt(`0x${serial.slice(negative ? 1 : 0)}`)}`;
}
