import { resolve } from 'node:path';
import { loadConfig } from '../config/load.ts';
import { error, formatProblem, pointer } from '../config/problem.ts';
import { quote } from '../config/text.ts';
import { ask } from '../explain/ask.ts';
import { BadQuestion, type ClientChain, type Question, serverNameFor } from '../explain/question.ts';
import type { Report } from '../explain/report.ts';
import { parseTime } from '../explain/time.ts';
import { messageOf, PkiError } from '../pki/error.ts';
import { readBytes } from '../pki/files.ts';
import { readCertificates } from '../pki/pem.ts';
import { compile } from '../snapshot/compile.ts';
import { splitAuthority } from '../snapshot/host-name.ts';
import { normalisePath } from '../snapshot/path.ts';
import type { ClientAuth, Snapshot } from '../snapshot/snapshot.ts';
import { makeCertificate } from './certificate.ts';
import type { LoadedTests } from './load.ts';
import { expectationText, missOf, type Outcome } from './outcome.ts';
import type { CaseFields } from './schema.ts';
import { StandIns, type StandInStore } from './stand-ins.ts';

/** What came of one file of policy tests. */
export interface SuiteResult {
  readonly file: string;
  readonly config: string;
  /** What was stood in for, a line each. */
  readonly standIns: readonly string[];
  readonly cases: readonly CaseResult[];
}

export interface CaseResult {
  readonly name: string;
  /** `file:line` */
  readonly at: string;
  readonly expected: string;
  /** Null: it came as expected. */
  readonly miss: Outcome | null;
  readonly report: Report;
}

/** A file of tests, or its configuration, that cannot be used; a line each, with its place. */
export class UnusableTests extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'UnusableTests';
    this.problems = problems;
  }
}

/**
 * Runs the tests of a file against a configuration: each question goes through the handshake and the decision that serve.
 * Opens no socket and writes no file.
 *
 * @throws UnusableTests
 */
export async function runTests(tests: LoadedTests, config: string): Promise<SuiteResult> {
  const runner = await Runner.of(tests, config);
  const cases: CaseResult[] = [];
  for (const [index, one] of tests.cases.entries()) cases.push(await runner.run(one, index));
  return { file: tests.file, config, standIns: runner.standInLines(), cases };
}

type Compiling = (revoked?: readonly Uint8Array[]) => Snapshot;

class Runner {
  readonly #tests: LoadedTests;
  readonly #config: string;
  readonly #standIns: StandIns;
  readonly #compile: Compiling;
  #common: { readonly size: number; readonly snapshot: Snapshot } | null = null;
  #real: Snapshot | null = null;

  private constructor(tests: LoadedTests, config: string, standIns: StandIns, compile: Compiling) {
    this.#tests = tests;
    this.#config = config;
    this.#standIns = standIns;
    this.#compile = compile;
  }

  static async of(tests: LoadedTests, config: string): Promise<Runner> {
    const standIns = new StandIns();
    const loaded = await loadConfig(config, undefined, undefined, standIns.read);
    if (loaded.config === undefined) throw new UnusableTests(loaded.problems.map(formatProblem));
    return new Runner(tests, config, standIns, (revoked) => {
      const compiled = compile(loaded.config, standIns.material(revoked));
      if (compiled.ok) return compiled.snapshot;
      throw new UnusableTests(
        compiled.problems.map(({ path, message }) => formatProblem(loaded.place(error(path, message)))),
      );
    });
  }

  async run(one: CaseFields, index: number): Promise<CaseResult> {
    const time = one.time === undefined ? null : parseTime(one.time);
    const { certificate, snapshot } = await this.#certificateOf(one, index, time);
    let report: Report;
    try {
      ({ report } = await ask(snapshot, questionOf(one, certificate, time)));
    } catch (fault) {
      if (fault instanceof BadQuestion) throw this.#unusable(index, '', fault.message);
      throw fault;
    }
    const { expect } = one;
    if (typeof expect === 'object' && 'allow' in expect && !snapshot.upstreams.has(expect.allow)) {
      throw this.#unusable(index, '/expect/allow', `there is no upstream ${quote(expect.allow)}`);
    }
    return {
      name: one.name,
      at: this.#tests.lineOf(index),
      expected: expectationText(expect),
      miss: missOf(expect, report),
      report,
    };
  }

  /** For people: nobody must take a stand-in for the real thing. */
  standInLines(): readonly string[] {
    return this.#standIns.stores.map(({ file, read, authorities }) => {
      const names = authorities.slice(0, 3).map(({ name }) => name);
      const more = authorities.length > 3 ? ` and ${authorities.length - 3} more` : '';
      const what = read ? 'throw-away CAs of the same names' : 'not there; a throw-away CA';
      return `${file}: ${what} (${names.join('; ')}${more})`;
    });
  }

  async #certificateOf(
    one: CaseFields,
    index: number,
    time: number | null,
  ): Promise<{ readonly certificate: ClientChain | null; readonly snapshot: Snapshot }> {
    const fields = one.certificate;
    if (fields === undefined) return { certificate: null, snapshot: this.#snapshot() };
    if (fields.file !== undefined) {
      const certificate = { chain: await this.#chainOf(fields.file, index) };
      return { certificate, snapshot: await this.#realSnapshot(index) };
    }
    const { trust } = guardOf(this.#snapshot(), one);
    const store = this.#storeOf(fields.trustStore, trust, index);
    const now = Date.now();
    try {
      const made = makeCertificate(fields, store, this.#standIns, { test: time ?? now, now });
      if (fields.revoked !== true) return { certificate: made.chain, snapshot: this.#snapshot() };
      if (trust !== null && trust.revocation === null) {
        const message = 'nothing is revoked where the configuration names no CRL';
        throw this.#unusable(index, '/certificate/revoked', message);
      }
      return { certificate: made.chain, snapshot: this.#compile([made.serial]) };
    } catch (fault) {
      if (fault instanceof PkiError) throw this.#unusable(index, '/certificate', fault.message);
      throw fault;
    }
  }

  #storeOf(file: string | undefined, trust: ClientAuth['trust'], index: number): StandInStore | null {
    if (file === undefined) return trust === null ? null : this.#standIns.storeOfPem(trust.ca);
    const store = this.#standIns.store(file);
    if (store !== null) return store;
    const files = this.#standIns.stores.map((each) => quote(each.file)).join(', ');
    const message = `the configuration names no CA file ${quote(file)}; it names ${files === '' ? 'none' : files}`;
    throw this.#unusable(index, '/certificate/trustStore', message);
  }

  #snapshot(): Snapshot {
    const { size } = this.#standIns;
    if (this.#common?.size !== size) this.#common = { size, snapshot: this.#compile() };
    return this.#common.snapshot;
  }

  /** A certificate out of a file is judged by the trust stores that there are. */
  async #realSnapshot(index: number): Promise<Snapshot> {
    if (this.#real !== null) return this.#real;
    const loaded = await loadConfig(this.#config);
    const compiled = loaded.config === undefined ? null : compile(loaded.config, loaded.material);
    if (compiled?.ok === true) return (this.#real = compiled.snapshot);
    throw new UnusableTests([
      this.#tests.place(
        pointer('tests', index, 'certificate', 'file'),
        'wants the files that the configuration names, the trust stores among them:',
      ),
      ...loaded.problems.map(formatProblem),
    ]);
  }

  async #chainOf(file: string, index: number): Promise<readonly Buffer[]> {
    try {
      return readCertificates(await readBytes(resolve(this.#tests.folder, file)), file);
    } catch (fault) {
      throw this.#unusable(index, '/certificate/file', messageOf(fault));
    }
  }

  #unusable(index: number, path: string, message: string): UnusableTests {
    return new UnusableTests([this.#tests.place(pointer('tests', index) + path, message)]);
  }
}

/** How certificates are asked for where a request goes, as `decide` finds it. */
function guardOf(snapshot: Snapshot, { host, path = '/' }: CaseFields): ClientAuth {
  const found = snapshot.hosts.find(splitAuthority(host)?.host ?? '') ?? snapshot.defaultHost;
  const normal = normalisePath(path.split('?', 1)[0] ?? '');
  const route = normal === null ? null : found.routes.find(normal.path);
  const own = route?.clientAuth ?? found.clientAuth;
  // Where this route asks for none, the handshake may all the same.
  return own.trust === null ? { mode: own.mode, trust: found.clientAuth.stores[0] ?? null } : own;
}

function questionOf(one: CaseFields, certificate: ClientChain | null, time: number | null): Question {
  const {
    host,
    path = '/',
    method = 'GET',
    headers = {},
    sni,
    address = '127.0.0.1',
    plainHttp = false,
  } = one;
  return {
    host,
    target: path,
    method,
    headers: Object.entries(headers).flatMap(([name, value]) => [
      name,
      Buffer.from(value).toString('latin1'),
    ]),
    certificate,
    serverName: sni === undefined ? serverNameFor(host) : sni,
    address,
    plainHttp,
    time,
  };
}
