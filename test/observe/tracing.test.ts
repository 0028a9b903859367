import * as api from '@opentelemetry/api';
import t from 'tap';
import { readTraceParent, withTraceParent } from '../../src/observe/trace-parent.ts';
import { createTracing, loadTracing } from '../../src/observe/tracing.ts';
import { request } from '../support/client.ts';
import { createAuthority } from '../support/pki.ts';
import { type Backend, type Proxy, startBackend, startProxy } from '../support/proxy.ts';
import { forward, requestEvent, testConnection, testHost } from './fixture.ts';

const ca = await createAuthority({ cn: 'CA' });
const server = await ca.issue({ cn: 'server', hosts: ['a.test'], usage: 'server' });
const client = await ca.issue({ cn: 'bob', ou: 'ITOps' });
const theirs = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

interface Ended {
  readonly name: string;
  readonly kind: api.SpanKind | undefined;
  readonly attributes: api.Attributes;
  readonly status: api.SpanStatusCode | null;
  readonly context: api.SpanContext;
  readonly parent: api.SpanContext | undefined;
}

/** Keeps the spans that ended, and no more of the API than the program uses. */
class MemoryTracer {
  readonly ended: Ended[] = [];
  #next = 1;

  startSpan(name: string, options: api.SpanOptions = {}, context: api.Context = api.ROOT_CONTEXT): api.Span {
    const parent = api.trace.getSpanContext(context);
    const own: api.SpanContext = {
      traceId: parent?.traceId ?? 'f'.repeat(32),
      spanId: String(this.#next++).padStart(16, '0'),
      traceFlags: api.TraceFlags.SAMPLED,
      ...(parent?.traceState === undefined ? {} : { traceState: parent.traceState }),
    };
    const attributes = { ...options.attributes };
    let [called, status] = [name, null as api.SpanStatusCode | null];
    const span = {
      spanContext: () => own,
      updateName: (to: string) => void (called = to),
      setAttributes: (more: api.Attributes) => void Object.assign(attributes, more),
      setStatus: ({ code }: api.SpanStatus) => void (status = code),
      end: () =>
        void this.ended.push({ name: called, kind: options.kind, attributes, status, context: own, parent }),
    };
    return span as unknown as api.Span;
  }

  startActiveSpan(): never {
    throw new Error('spans are passed on, not active');
  }
}

async function start(t: Parameters<typeof startBackend>[0]): Promise<Proxy & { readonly backend: Backend }> {
  const backend = await startBackend(t);
  const proxy = await startProxy(
    t,
    {
      hosts: [
        {
          names: ['a.test'],
          certificate: { cert: 'server.pem', key: 'server.key' },
          clientAuth: { mode: 'require', ca: 'ca.pem' },
          routes: [
            { path: '/api', upstream: 'backend' },
            { path: '/dead', upstream: 'dead' },
          ],
        },
      ],
      upstreams: { backend: { endpoints: [backend.endpoint] }, dead: { endpoints: ['127.0.0.1:1'] } },
    },
    { 'server.pem': server.bundle, 'server.key': server.key, 'ca.pem': ca.cert },
  );
  return { ...proxy, backend };
}

const asking = {
  serverName: 'a.test',
  host: 'a.test:8443',
  path: '/api/x?token=secret',
  certificate: client,
};
const headers = [`traceparent: ${theirs}`, 'tracestate: vendor=1'];

await t.test('without an SDK what the client says of a trace is passed on as it is', async (t) => {
  t.equal(await loadTracing(), null);
  const proxy = await start(t);
  t.equal((await request({ ...asking, port: proxy.port, headers })).status, 200);
  t.match(proxy.backend.seen[0]!.headers, { traceparent: theirs, tracestate: 'vendor=1' });
});

await t.test(
  'with an SDK each request is a span in the client’s trace, and the backend’s come below it',
  async (t) => {
    const tracer = new MemoryTracer();
    api.trace.setGlobalTracerProvider({ getTracer: () => tracer });
    t.teardown(() => api.trace.disable());
    const proxy = await start(t);
    const { port } = proxy;
    t.equal((await request({ ...asking, port, headers })).status, 200);
    const [span] = tracer.ended;
    t.match(span, {
      name: 'GET /api',
      kind: api.SpanKind.SERVER,
      status: null,
      parent: { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', isRemote: true },
      attributes: {
        'http.request.method': 'GET',
        'http.route': '/api',
        'http.response.status_code': 200,
        'url.scheme': 'https',
        'url.path': '/api/x',
        'server.address': 'a.test',
        'server.port': 8443,
        'client.address': '127.0.0.1',
        'tls.protocol.version': '1.3',
        'tls.client.subject': 'CN=bob,OU=ITOps',
        'mtls_ingress.reason': 'ok',
      },
    });
    t.notMatch(JSON.stringify(span), 'secret');
    t.equal(
      proxy.backend.seen[0]!.headers.traceparent,
      `00-${span!.context.traceId}-${span!.context.spanId}-01`,
    );
    t.equal(proxy.backend.seen[0]!.headers.tracestate, 'vendor=1');
    t.equal((await request({ ...asking, port })).status, 200);
    t.equal(tracer.ended[1]!.parent, undefined, 'without a parent a trace begins here');
    t.match(proxy.backend.seen[1]!.headers.traceparent, /^00-f{32}-/);
    t.equal((await request({ ...asking, port, certificate: null })).status, 400);
    t.match(tracer.ended[2], { status: null, attributes: { 'mtls_ingress.reason': 'no_certificate' } });
    t.notOk('tls.client.subject' in tracer.ended[2]!.attributes);
    t.notOk('error.type' in tracer.ended[2]!.attributes, 'a 4xx is the client’s error');
    t.equal((await request({ ...asking, port, path: '/dead' })).status, 502);
    t.match(tracer.ended[3], {
      name: 'GET /dead',
      status: api.SpanStatusCode.ERROR,
      attributes: { 'error.type': 'upstream_refused', 'http.response.status_code': 502 },
    });
  },
);

await t.test('an SDK that throws costs nobody an answer', async (t) => {
  const fails = (): never => {
    throw new Error('no span');
  };
  const traced = {
    method: 'BREW',
    target: '/',
    authority: 'a.test',
    scheme: 'https',
    clientAddress: '::1',
    userAgent: null,
    connection: testConnection(),
    rawHeaders: [],
  } as const;
  const event = requestEvent(forward(testHost('a.test')));
  const withTracer = (startSpan: () => unknown) =>
    createTracing({ ...api, trace: { getTracer: () => ({ startSpan }) } } as unknown as typeof api).begin(
      traced,
    );
  t.equal(withTracer(fails), null);
  const span = withTracer(() => ({ spanContext: fails, updateName: fails }))!;
  t.same(span.carry(['a', 'b']), ['a', 'b']);
  t.doesNotThrow(() => span.end(event));
});

await t.test('a place in a trace is believed only whole', async (t) => {
  const read = (...values: string[]) => readTraceParent(values.flatMap((value) => ['Traceparent', value]));
  t.match(read(theirs), { spanId: 'b7ad6b7169203331', flags: 1, state: null });
  t.ok(read(theirs.replace('00-', '01-')), 'a version to come');
  t.ok(read(`${theirs.replace('00-', '01-')}-more`));
  for (const bad of [
    '',
    `${theirs}-more`,
    theirs.replace('00-', 'ff-'),
    theirs.toUpperCase(),
    theirs.replace('b7ad6b7169203331', '0'.repeat(16)),
    theirs.replace('0af7651916cd43dd8448eb211c80319c', '0'.repeat(32)),
    'x'.repeat(100_000),
  ]) {
    t.equal(read(bad), null, bad.slice(0, 60));
  }
  t.equal(read(theirs, theirs), null, 'two of them');
  const long = readTraceParent(['traceparent', theirs, 'tracestate', `a=${'x'.repeat(600)}`]);
  t.equal(long?.state, null);
  const place = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), flags: 0, state: null };
  t.same(withTraceParent(['X', '1', 'TraceParent', theirs, 'tracestate', 'a=1'], place), [
    'X',
    '1',
    'traceparent',
    `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`,
  ]);
});
