import { readdir } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { type SourceDocument, readDocument } from './document.ts';
import { FileMemory } from './file-memory.ts';
import { error, type Finding, pointer, pointerKeys, type Problem } from './problem.ts';
import type { ReadFile } from './read-file.ts';
import { quote } from './text.ts';

/** One file's limit: larger than any configuration written by hand or by a sane program. */
export const maxConfigSize = 4 * 1024 ** 2;

/** Files included, all together. */
export const maxFragments = 20_000;

/** Bytes in included files, all together. */
export const maxFragmentsSize = 64 * 1024 ** 2;

/** Names in a folder that is looked through. */
const maxNames = 100_000;

/** A configuration file with all that it includes. */
export interface Included {
  /** As one configuration. */
  readonly data: unknown;
  readonly findings: readonly Finding[];
  /** What is wrong within included files. */
  readonly problems: readonly Problem[];
  /** Absolute paths of the included files. */
  readonly files: readonly string[];
  /** Absolute paths with `*` in the last part: files there may come to be included. */
  readonly patterns: readonly string[];
  readonly place: (finding: Finding) => Problem;
}

type Container = Readonly<Record<string, unknown>>;

/** An included file: its data is the same object at every load that finds the file unchanged. */
interface Fragment {
  /** As it is told of: relative to the folder of the configuration, if that was. */
  readonly file: string;
  readonly document: SourceDocument;
  readonly hosts: readonly unknown[];
  readonly upstreams: Container;
}

/**
 * Puts the hosts and upstreams of included files behind those of the configuration file, in the order of `include`, a
 * folder's files by name. What does not stand there is not read for: an included file includes nothing itself.
 */
export async function include(
  file: string,
  main: SourceDocument,
  memory: FileMemory = new FileMemory(),
): Promise<Included> {
  const alone = { data: main.data, findings: [], problems: [], files: [], patterns: [], place: main.place };
  const { data } = main;
  if (!isContainer(data) || !isTextList(data['include'])) return alone;
  const { paths, findings, patterns } = await find(file, data['include']);
  let total = 0;
  const read = await memory.read(
    paths.map(({ path }) => ({
      path,
      limit: maxConfigSize,
      make: (one) => fragmentOf(shown(file, path), one),
    })),
    (size) => ((total += size) > maxFragmentsSize ? tooMuch : null),
  );
  const fragments: Fragment[] = [];
  const problems: Problem[] = [];
  for (const [index, fragment] of read.entries()) {
    const { path, place } = paths[index]!;
    if ('fault' in fragment) findings.push(error(place, `${quote(shown(file, path))} ${fragment.fault}`));
    else if (fragment.document.problems.length > 0) problems.push(...fragment.document.problems);
    else fragments.push(fragment);
  }
  const merged = merge(data, main, fragments);
  problems.push(...merged.problems);
  return { ...merged, findings, problems, files: paths.map(({ path }) => path), patterns };
}

interface Found {
  readonly paths: readonly { readonly path: string; readonly place: string }[];
  readonly findings: Finding[];
  readonly patterns: readonly string[];
}

async function find(file: string, entries: readonly string[]): Promise<Found> {
  const absolute = resolve(file);
  const paths = new Map<string, { readonly path: string; readonly place: string }>();
  const findings: Finding[] = [];
  const patterns: string[] = [];
  for (const [index, entry] of entries.entries()) {
    const place = pointer('include', index);
    const path = resolve(dirname(absolute), entry);
    if (dirname(path).includes('*')) {
      findings.push(
        error(place, `${quote(entry)}: a * stands for files of one folder, in the last part alone`),
      );
      continue;
    }
    let all = [path];
    if (basename(path).includes('*')) {
      patterns.push(path);
      const names = await namesLike(path);
      if (names === null) findings.push(error(place, `the folder of ${quote(entry)} cannot be read`));
      all = (names ?? []).map((name) => join(dirname(path), name));
    }
    for (const one of all) {
      if (one === absolute) findings.push(error(place, `${quote(entry)} includes this very file`));
      else if (paths.has(one)) findings.push(error(place, `${quote(shown(file, one))} is included already`));
      else paths.set(one, { path: one, place });
    }
    if (paths.size > maxFragments) {
      findings.push(error(place, `more than ${maxFragments} files are included: put more into each`));
      return { paths: [], findings, patterns };
    }
  }
  return { paths: [...paths.values()], findings, patterns };
}

/**
 * Names in a folder that fit the last part of a path, in which `*` stands for any characters; sorted. Hidden ones only if
 * the pattern begins with a dot. Null where the folder cannot be read, or is too full.
 */
export async function namesLike(path: string): Promise<readonly string[] | null> {
  const pattern = basename(path);
  const [head = '', ...rest] = pattern.split('*');
  const tail = rest.pop() ?? '';
  const fits = (name: string): boolean => {
    if (name.startsWith('.') && !pattern.startsWith('.')) return false;
    if (!name.startsWith(head) || !name.endsWith(tail) || name.length < head.length + tail.length)
      return false;
    let from = head.length;
    for (const part of rest) {
      const at = name.indexOf(part, from);
      if (at === -1) return false;
      from = at + part.length;
    }
    return from <= name.length - tail.length;
  };
  try {
    const names = await readdir(dirname(path));
    return names.length > maxNames ? null : names.filter(fits).sort();
  } catch {
    return null;
  }
}

function fragmentOf(file: string, { bytes }: ReadFile): Fragment {
  const text = decode(bytes);
  const document = text === null ? notText(file) : forgetful(file, text);
  const { data } = document;
  const faults = document.problems.length > 0 ? [] : fragmentFaults(data).map(document.place);
  const { hosts, upstreams } = (data ?? {}) as Container;
  return {
    file,
    document: faults.length > 0 ? { ...document, problems: faults } : document,
    hosts: Array.isArray(hosts) ? hosts : [],
    upstreams: isContainer(upstreams) ? upstreams : {},
  };
}

/** UTF-8, or null. */
export function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function notText(file: string): SourceDocument {
  const place = (finding: Finding): Problem => ({ file, line: 1, column: 1, ...finding });
  return { data: null, problems: [place(error('', 'is not UTF-8 text'))], place };
}

/** Keeps the data and not the syntax, which takes twenty times its room: the file is read apart again to place a finding. */
function forgetful(file: string, text: string): SourceDocument {
  const { data, problems } = readDocument(file, text);
  let last: WeakRef<SourceDocument> | null = null;
  const place = (finding: Finding): Problem => {
    let document = last?.deref();
    if (document === undefined) last = new WeakRef((document = readDocument(file, text)));
    return document.place(finding);
  };
  return { data, problems, place };
}

function fragmentFaults(data: unknown): Finding[] {
  const lacking = 'an included file holds `hosts`, `upstreams` or both';
  // Cut off behind its first comment, say: its hosts must not be gone for a moment.
  if (!isContainer(data) || Array.isArray(data) || Object.keys(data).length === 0)
    return [error('', lacking)];
  return Object.entries(data).flatMap(([key, value]) => {
    const path = pointer(key);
    if (key === 'hosts') return Array.isArray(value) ? [] : [error(path, 'must be a list')];
    if (key === 'upstreams')
      return isContainer(value) && !Array.isArray(value) ? [] : [error(path, 'must be a map')];
    return [{ ...error(path, `${lacking}, and nothing else`), atKey: true }];
  });
}

function merge(
  data: Container,
  main: SourceDocument,
  fragments: readonly Fragment[],
): Pick<Included, 'data' | 'problems' | 'place'> {
  const own = { hosts: data['hosts'] ?? [], upstreams: data['upstreams'] ?? {} };
  // What does not fit is told of where it stands; nothing could be put behind it.
  if (!Array.isArray(own.hosts) || !isContainer(own.upstreams)) {
    return { data, problems: [], place: main.place };
  }
  const hosts: unknown[] = [...(own.hosts as unknown[])];
  const upstreams = new Map(Object.entries(own.upstreams));
  const problems: Problem[] = [];
  /** The index of each fragment's first host, ascending. */
  const starts: number[] = [];
  const upstreamFiles = new Map<string, Fragment>();
  for (const fragment of fragments) {
    starts.push(hosts.length);
    for (const host of fragment.hosts) hosts.push(host);
    for (const [name, upstream] of Object.entries(fragment.upstreams)) {
      if (upstreams.has(name)) {
        const where = upstreamFiles.get(name)?.file ?? 'the configuration file';
        const twice = `the upstream ${quote(name)} stands in ${quote(where)} already`;
        problems.push(fragment.document.place({ ...error(pointer('upstreams', name), twice), atKey: true }));
        continue;
      }
      upstreams.set(name, upstream);
      upstreamFiles.set(name, fragment);
    }
  }
  const ownHosts = own.hosts.length;
  const locate = (path: string): { readonly document: SourceDocument; readonly path: string } => {
    const [first, second = '', ...rest] = pointerKeys(path);
    if (first === 'upstreams') {
      return { document: upstreamFiles.get(second)?.document ?? main, path };
    }
    const index = Number(second);
    if (first !== 'hosts' || !(index >= ownHosts)) return { document: main, path };
    const nth = lastAtMost(starts, index);
    const fragment = fragments[nth];
    if (fragment === undefined) return { document: main, path };
    return { document: fragment.document, path: pointer('hosts', index - starts[nth]!, ...rest) };
  };
  const at = (path: string): string => {
    const found = locate(path);
    const { file, line, column } = found.document.place(error(found.path, ''));
    return `${file}:${line}:${column}`;
  };
  const place = (finding: Finding): Problem => {
    const { document, path } = locate(finding.path);
    let { message } = finding;
    // Another place that it tells of has a number in no file.
    for (const other of finding.dependsOn ?? []) {
      if (!other.includes('*') && message.includes(other))
        message = message.replaceAll(other, () => at(other));
    }
    return document.place({ ...finding, path, message });
  };
  return { data: { ...data, hosts, upstreams: Object.fromEntries(upstreams) }, problems, place };
}

/** The index of the last of ascending numbers that is at most `limit`, a later one among equals; -1 if none is. */
function lastAtMost(numbers: readonly number[], limit: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** As the configuration file itself was named: absolute, or relative to the working folder. */
function shown(file: string, path: string): string {
  return join(dirname(file), relative(dirname(resolve(file)), path));
}

function isContainer(value: unknown): value is Container {
  return typeof value === 'object' && value !== null;
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string');
}

const tooMuch = `comes after ${maxFragmentsSize / 1024 ** 2} MiB of other included files`;
