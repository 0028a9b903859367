import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
} from 'yaml';
import { error, type Finding, pointer, pointerKeys, type Problem } from './problem.ts';
import { quote } from './text.ts';

/** Deeper than any configuration; far below what the parser's recursion and ours can take. */
const maxDepth = 64;

/** Values that aliases may add to what is written: `&a [*b, *b]` doubles with every line (billion laughs). */
const maxAliasedValues = 10_000;

/** One forgotten quote makes an error of every line after it. */
const maxSyntaxProblems = 20;

const maxFaults = 1000;

/** A YAML file read apart: plain data, and where each piece of it stands. */
export interface SourceDocument {
  /** JSON values only; undefined where the syntax is wrong. */
  readonly data: unknown;
  /** What is wrong with the syntax. */
  readonly problems: readonly Problem[];
  /** Gives a finding its line and column: of the deepest part of its path that the file has. */
  readonly place: (finding: Finding) => Problem;
}

/**
 * Reads YAML 1.2 with the core schema: `no` is a text and `off` is too. Refused, each with its place: more than one
 * document, `%YAML 1.1`, keys that stand twice or are no scalars, tags, aliases that contain themselves or
 * multiply, and nesting past 64 levels. Time is linear in the text. Pure.
 */
export function readDocument(file: string, source: string): SourceDocument {
  const text = source.startsWith('\uFEFF') ? source.slice(1) : source;
  const position = positionsIn(text);
  const at = (offset: number, { path, message, severity }: Finding): Problem =>
    Object.freeze({ file, ...position(offset), path, message, severity });

  let document: Document.Parsed;
  try {
    document = parseDocument(text, {
      version: '1.2',
      schema: 'core',
      // Not `silent`: that would swallow the error about a second document.
      logLevel: 'error',
      prettyErrors: false,
      // Ours, in PlainReader: the parser's own check costs the square of a map's size.
      uniqueKeys: false,
    });
  } catch {
    // Only the depth of its recursion can make the parser throw.
    return refused([at(0, error('', tooDeep))]);
  }
  if (document.errors.length > 0 || document.warnings.length > 0) {
    const faults = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
    return refused(told(faults).map((fault) => at(fault.pos[0], error('', syntaxMessage(fault)))));
  }
  const version = document.directives.yaml;
  if (version.explicit === true && version.version !== '1.2') {
    return refused([
      at(0, error('', `YAML ${version.version} reads \`off\` as false: leave the %YAML line out`)),
    ]);
  }
  const reader = new PlainReader();
  const data = reader.read(document.contents);
  if (reader.faults.length > 0) {
    return refused(reader.faults.map(({ node, finding }) => at(startOf(node) ?? 0, finding)));
  }
  return {
    data,
    problems: [],
    place: (finding) => at(reader.locate(document.contents, finding), finding),
  };
}

/** Finds line and column of an offset. (The parser's own LineCounter misses the lines within what it cannot read.) */
function positionsIn(text: string): (offset: number) => { line: number; column: number } {
  let starts: number[] | null = null;
  return (offset) => {
    if (starts === null) {
      starts = [0];
      for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', end + 1)) starts.push(end + 1);
    }
    const within = Math.max(0, Math.min(offset, text.length));
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= within) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: within - starts[low]! + 1 };
  };
}

function refused(problems: Problem[]): SourceDocument {
  const [first] = problems;
  return {
    data: undefined,
    problems,
    // Nothing was read that a finding could be about.
    place: ({ path, message, severity }) => ({ ...first!, path, message, severity }),
  };
}

/** The faults worth telling: one abort makes an error of each level of nesting above it. */
function told<Fault extends { code: string; message: string; pos: [number, number] }>(
  faults: Fault[],
): Fault[] {
  const abort = faults.find((fault) => fault.code === 'RESOURCE_EXHAUSTION');
  if (abort !== undefined) return [abort];
  const different = faults.filter(
    (fault, index) =>
      fault.pos[0] !== faults[index - 1]?.pos[0] || fault.message !== faults[index - 1]?.message,
  );
  return different.slice(0, maxSyntaxProblems);
}

const tooDeep = `nested deeper than ${maxDepth} levels: no configuration needs that`;

function syntaxMessage(fault: { readonly code: string; readonly message: string }): string {
  switch (fault.code) {
    case 'RESOURCE_EXHAUSTION':
      return tooDeep;
    case 'MULTIPLE_DOCS':
      return 'a second document starts here: keep one, and no --- between its parts';
    case 'TAG_RESOLVE_FAILED':
      return 'tags are not taken: write the plain value without the !';
    case 'TAB_AS_INDENT':
      return 'a tab indents this line: use spaces';
    default:
      return `not YAML: ${fault.message.replace(/^./, (letter) => letter.toLowerCase())}`;
  }
}

/** `!!str 5` and its like say no more than a quote does. Others (`!!binary`, `!!set`) make values that JSON has not. */
const plainTags = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((tag) => `tag:yaml.org,2002:${tag}`),
);

type AnyNode = Node | null | undefined;

class PlainReader {
  readonly faults: { node: AnyNode; finding: Finding }[] = [];
  readonly #anchors = new Map<string, Node>();
  /** What each alias stands for, fixed where it stands: an anchor may be set anew further down. */
  readonly #targets = new Map<Node, Node>();
  readonly #open = new Set<Node>();
  readonly #told = new Set<AnyNode>();
  #aliased = 0;

  read(root: AnyNode): unknown {
    return this.#value(root, [], 0);
  }

  /** The offset of a finding's place. Leads through aliases, and stops at the last part that exists. */
  locate(root: AnyNode, finding: Finding): number {
    let node: AnyNode = root;
    let offset = startOf(node) ?? 0;
    const keys = pointerKeys(finding.path);
    for (const [index, key] of keys.entries()) {
      node = this.#follow(node);
      if (isSeq(node)) {
        node = node.items[Number(key)] as AnyNode;
        offset = startOf(node) ?? offset;
      } else if (isMap(node)) {
        const pair = node.items.find((item) => keyText(item.key) === key) as Pair<Node, AnyNode> | undefined;
        if (pair === undefined) break;
        node = pair.value;
        const wantsKey = finding.atKey === true && index === keys.length - 1;
        // An empty value has its place behind the key, perhaps on another line.
        const isEmpty =
          node === null ||
          node === undefined ||
          (isScalar(node) && node.source === '' && node.value === null);
        offset = startOf(wantsKey || isEmpty ? pair.key : node) ?? offset;
      } else break;
    }
    return offset;
  }

  #follow(node: AnyNode): AnyNode {
    let target = node;
    while (isAlias(target)) target = this.#targets.get(target);
    return target;
  }

  #value(node: AnyNode, path: readonly (string | number)[], aliases: number): unknown {
    if (node === null || node === undefined) return null;
    if (!isScalar(node) && path.length >= maxDepth) return this.#fault(node, path, tooDeep);
    if (aliases > 0 && ++this.#aliased > maxAliasedValues) {
      // Once is enough: the rest would repeat it a billion times over.
      if (this.#aliased === maxAliasedValues + 1) {
        this.#fault(
          node,
          path,
          `aliases repeat more than ${maxAliasedValues} values: write them out, or fewer`,
        );
      }
      return null;
    }
    if (isAlias(node)) return this.#alias(node, node.source, path, aliases);
    if (aliases === 0 && node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (node.tag !== undefined && !plainTags.has(node.tag)) {
      return this.#fault(node, path, 'tags are not taken: write the plain value without the !!');
    }
    if (isScalar(node)) return this.#scalar(node, path);
    this.#open.add(node);
    const value = isSeq(node)
      ? node.items.map((item, index) => this.#value(item as AnyNode, [...path, index], aliases))
      : isMap(node)
        ? this.#map(node.items as Pair<AnyNode, AnyNode>[], node, path, aliases)
        : null;
    this.#open.delete(node);
    return value;
  }

  #alias(node: Node, name: string, path: readonly (string | number)[], aliases: number): unknown {
    const target = this.#targets.get(node) ?? this.#anchors.get(name);
    if (target === undefined) {
      return this.#fault(node, path, `there is no anchor &${quote(name)} above: set it before using it`);
    }
    if (this.#open.has(target)) return this.#fault(node, path, `${quote(`*${name}`)} contains itself`);
    this.#targets.set(node, target);
    return this.#value(target, path, aliases + 1);
  }

  #scalar(node: Scalar, path: readonly (string | number)[]): unknown {
    const { value } = node;
    if (
      value === null ||
      typeof value === 'string' ||
      typeof value === 'boolean' ||
      typeof value === 'number'
    ) {
      return value;
    }
    return this.#fault(node, path, 'no plain text, number, true or false');
  }

  #map(
    items: readonly Pair<AnyNode, AnyNode>[],
    map: Node,
    path: readonly (string | number)[],
    aliases: number,
  ): unknown {
    const entries = new Map<string, unknown>();
    for (const { key, value } of items) {
      const name = keyText(key);
      if (name === null) {
        this.#fault(key ?? map, path, 'a key must be plain text', true);
        continue;
      }
      const place = [...path, name];
      // Assigned to an object it would not become a key but its prototype.
      if (name === '__proto__') this.#fault(key, place, 'no key may be called __proto__', true);
      else if (entries.has(name))
        this.#fault(key, place, `the key ${quote(name)} stands here twice: keep one`, true);
      else entries.set(name, this.#value(value, place, aliases));
    }
    return Object.fromEntries(entries);
  }

  #fault(node: AnyNode, path: readonly (string | number)[], message: string, atKey = false): null {
    const finding: Finding = { ...error(pointer(...path), message), atKey };
    // What an alias repeats has been told once.
    if (!this.#told.has(node) && this.faults.length < maxFaults) this.faults.push({ node, finding });
    this.#told.add(node);
    return null;
  }
}

function keyText(key: unknown): string | null {
  if (!isScalar(key) || (key.tag !== undefined && !plainTags.has(key.tag))) return null;
  const { value } = key;
  if (typeof value === 'string') return value;
  // `8080:` and `true:` are keys as they are spelled.
  return value === null ? null : (key.source ?? null);
}

function startOf(node: AnyNode): number | undefined {
  return node?.range?.[0];
}
