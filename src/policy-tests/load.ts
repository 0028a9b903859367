import { isIP } from 'node:net';
import { dirname, resolve } from 'node:path';
import { readDocument } from '../config/document.ts';
import { decode } from '../config/include.ts';
import { error, type Finding, formatProblem, pointer } from '../config/problem.ts';
import { readBounded } from '../config/read-file.ts';
import { shapeCheck } from '../config/shape.ts';
import { didYouMean, listOf, quote } from '../config/text.ts';
import { parseTime } from '../explain/time.ts';
import { reportable } from '../snapshot/report.ts';
import { attributeType } from '../tls/attribute-type.ts';
import { answeringReasons, denyingReasons } from './outcome.ts';
import { type CaseFields, type CertificateFields, PolicyTests } from './schema.ts';

/** Bytes of a file of tests. */
const maxSize = 4 * 1024 ** 2;

/** A file of policy tests that makes sense. */
export interface LoadedTests {
  /** As it was named. */
  readonly file: string;
  /** Its folder, absolute: what it names is relative to it. */
  readonly folder: string;
  /** The path of the configuration, from where the program runs; null: the command line has to say. */
  readonly config: string | null;
  readonly cases: readonly CaseFields[];
  /** A line for something found later: `file:line:column /tests/2 …`. */
  readonly place: (path: string, message: string) => string;
  /** `file:line` of a case, by its number from 0. */
  readonly lineOf: (index: number) => string;
}

const check = shapeCheck(PolicyTests, 'is no file of policy tests');

/** Reads a file of policy tests, or says all that is wrong with it, a line each. Never rejects. */
export async function loadTests(
  file: string,
): Promise<LoadedTests | { readonly problems: readonly string[] }> {
  const absolute = resolve(file);
  const read = await readBounded(absolute, maxSize);
  if ('fault' in read) return { problems: [`${quote(file)} ${read.fault}`] };
  const text = decode(read.bytes);
  if (text === null) return { problems: [`${quote(file)} is not UTF-8 text`] };
  const document = readDocument(file, text);
  if (document.problems.length > 0) return { problems: document.problems.map(formatProblem) };
  const say = (finding: Finding): string => formatProblem(document.place(finding));
  const misfits = check(document.data);
  if (misfits.length > 0) return { problems: misfits.map(say) };
  const { config, tests } = document.data as PolicyTests;
  const findings = tests.flatMap((one, index) => findingsOf(one, pointer('tests', index)));
  if (findings.length > 0) return { problems: findings.map(say) };
  const folder = dirname(absolute);
  return {
    file,
    folder,
    config: config === undefined ? null : resolve(folder, config),
    cases: tests,
    place: (path, message) => say(error(path, message)),
    lineOf: (index) => {
      const { line } = document.place(error(pointer('tests', index), ''));
      return `${file}:${line}`;
    },
  };
}

/** What the schema cannot say. */
function findingsOf(one: CaseFields, path: string): readonly Finding[] {
  const findings: Finding[] = [];
  const { expect, address, time, certificate } = one;
  if (typeof expect === 'object' && 'deny' in expect) {
    findings.push(...reasonFindings(`${path}/expect/deny`, expect.deny, denyingReasons));
  }
  if (typeof expect === 'object' && 'report' in expect) {
    findings.push(...reasonFindings(`${path}/expect/report`, expect.report, new Set<string>(reportable)));
  }
  if (typeof expect === 'object' && 'answer' in expect) {
    findings.push(...reasonFindings(`${path}/expect/answer`, expect.answer, answeringReasons));
  }
  if (address !== undefined && isIP(address) === 0) {
    findings.push(error(`${path}/address`, `${quote(address)} is no IP address`));
  }
  if (time !== undefined) findings.push(...timeFindings(`${path}/time`, time));
  if (certificate !== undefined) findings.push(...certificateFindings(certificate, `${path}/certificate`));
  return findings;
}

function reasonFindings(path: string, reason: string, known: ReadonlySet<string>): readonly Finding[] {
  if (known.has(reason)) return [];
  if (answeringReasons.has(reason)) return [error(path, `${quote(reason)} belongs into \`answer\``)];
  if (denyingReasons.has(reason)) return [error(path, `${quote(reason)} belongs into \`deny\``)];
  const few = known.size < 10 ? `: there is ${listOf([...known])}` : '';
  return [error(path, `${quote(reason)} is no reason${didYouMean(reason, known)}${few}`)];
}

function timeFindings(path: string, text: string): readonly Finding[] {
  return parseTime(text) === null
    ? [error(path, `${quote(text)} is no time such as 2026-11-24T12:00:00Z`)]
    : [];
}

function certificateFindings(certificate: CertificateFields, path: string): readonly Finding[] {
  const findings: Finding[] = [];
  const { file, subject, issuer, notBefore, notAfter, serial, ip } = certificate;
  const second = Object.keys(certificate).find((key) => key !== 'file');
  if (file !== undefined && second !== undefined) {
    findings.push(
      error(`${path}/${second}`, 'a certificate out of a file is as it is: take this or `file` out'),
    );
  }
  for (const [key, name] of Object.entries({ subject, issuer })) {
    if (typeof name !== 'object') continue;
    for (const type of Object.keys(name)) {
      if (attributeType(type) !== null) continue;
      findings.push(error(`${path}/${key}${pointer(type)}`, `${quote(type)} is no attribute of a name`));
    }
  }
  if (notBefore !== undefined) findings.push(...timeFindings(`${path}/notBefore`, notBefore));
  if (notAfter !== undefined) findings.push(...timeFindings(`${path}/notAfter`, notAfter));
  if (serial !== undefined && serial.replaceAll(':', '').length % 2 !== 0) {
    findings.push(error(`${path}/serial`, 'a serial number has two hexadecimal digits for each octet'));
  }
  for (const address of typeof ip === 'string' ? [ip] : (ip ?? [])) {
    if (isIP(address) === 0) findings.push(error(`${path}/ip`, `${quote(address)} is no IP address`));
  }
  return findings;
}
