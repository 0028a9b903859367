import type { Config } from '../src/config/schema.ts';
import { ask } from '../src/explain/ask.ts';
import { shakeHands } from '../src/explain/handshake.ts';
import type { Question } from '../src/explain/question.ts';
import { standInCa } from '../src/policy-tests/authority.ts';
import { makeCertificate } from '../src/policy-tests/certificate.ts';
import { StandIns } from '../src/policy-tests/stand-ins.ts';
import { encodeName } from '../src/pki/name.ts';
import { compile } from '../src/snapshot/compile.ts';
import { decide } from '../src/snapshot/decide.ts';
import { explain } from '../src/snapshot/explain/explain.ts';
import type { Trace } from '../src/snapshot/trace.ts';
import { throwawayCertificate } from '../src/tls/throwaway-certificate.ts';

const rounds = 25;

/** A host that requires certificates, with a policy of its own and of its route. */
const config: Config = {
  listeners: { https: { port: 8443 } },
  hosts: [
    {
      names: ['a.test'],
      certificate: { cert: 'server.pem', key: 'server.key' },
      clientAuth: { mode: 'require', ca: 'ca.pem' },
      policy: { o: 'Example' },
      routes: [{ path: '/', upstream: 'u', policy: { ou: ['ITOps', 'SecOps'], not: { cn: '*-trainee' } } }],
    },
  ],
  upstreams: { u: { endpoints: ['127.0.0.1:8000'] } },
};

const nothing: Trace = { found() {}, asked() {}, reported() {} };

/**
 * One decision as the lanes make it, one with a trace, an explanation, and a whole question with its handshake in memory:
 * medians in microseconds of the clock, out of rounds that take turns.
 */
export async function measureDecisions(): Promise<void> {
  const ca = standInCa(encodeName([[{ oid: '2.5.4.3', value: 'CA' }]]));
  const server = throwawayCertificate();
  const material = new Map([
    ['server.pem', server.cert],
    ['server.key', server.key],
    ['ca.pem', ca.pem],
  ]);
  const compiled = compile(config, material);
  if (!compiled.ok) throw new Error(compiled.problems[0]?.message);
  const { snapshot } = compiled;
  const now = Date.now();
  const store = { file: 'ca.pem', read: false, authorities: [ca] };
  const fields = { subject: { O: 'Example', OU: 'ITOps', CN: 'a' } };
  const made = makeCertificate(fields, store, new StandIns(), { test: now, now });
  const question: Question = {
    host: 'a.test',
    target: '/a/b/c?d',
    method: 'GET',
    headers: ['Accept', '*/*'],
    certificate: made.chain,
    serverName: 'a.test',
    address: '192.0.2.1',
    plainHttp: false,
    time: null,
  };
  const { connection } = await shakeHands(snapshot, question);
  if (connection === null) throw new Error('the handshake was ended');
  const head = { method: 'GET', path: '/a/b/c', query: '?d', host: 'a.test', authority: 'a.test' };
  const input = {
    method: 'GET',
    target: question.target,
    httpVersion: '1.1',
    rawHeaders: ['Host', 'a.test'],
  };
  if (decide(snapshot, connection, head, now).action !== 'forward') throw new Error('it is refused');
  const kinds: readonly Kind[] = [
    { name: 'decide', times: 100_000, run: () => decide(snapshot, connection, head, now) },
    {
      name: 'decide, with a trace',
      times: 100_000,
      run: () => decide(snapshot, connection, head, now, nothing),
    },
    { name: 'explain', times: 2000, run: () => explain(snapshot, connection, input, now) },
    { name: 'a question, with its handshake', times: 50, run: () => ask(snapshot, question) },
  ];
  const taken = new Map(kinds.map((kind) => [kind, [] as number[]]));
  for (let round = 0; round < rounds; round++) {
    for (const kind of kinds) taken.get(kind)!.push(await measure(kind));
  }
  for (const [{ name }, times] of taken) {
    times.sort((a, b) => a - b);
    const [low, middle, high] = [0.25, 0.5, 0.75].map((part) =>
      times[Math.floor(times.length * part)]!.toFixed(2),
    );
    console.log(`${name}: ${middle} µs (${low} to ${high})`);
  }
}

interface Kind {
  readonly name: string;
  readonly times: number;
  readonly run: () => unknown;
}

async function measure({ times, run }: Kind): Promise<number> {
  const began = performance.now();
  for (let time = 0; time < times; time++) {
    const result = run();
    if (result instanceof Promise) await result;
  }
  return ((performance.now() - began) * 1000) / times;
}
