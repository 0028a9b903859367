import { readDocument, type SourceDocument } from '../config/document.ts';
import { error, pointer, type Problem } from '../config/problem.ts';
import type { DocumentText } from './documents.ts';
import type { KubernetesObject, Origin } from './object.ts';
import { parseJson } from './parse-json.ts';
import { readObject } from './read-object.ts';

/** Objects in one List. */
const maxItems = 50_000;

/** A place in a manifest. The document is parsed anew when it is first asked for, which is only when something is wrong. */
class DocumentOrigin implements Origin {
  readonly #document: DocumentPlace;
  readonly #path: string;

  constructor(document: DocumentPlace, path: string) {
    this.#document = document;
    this.#path = path;
  }

  at(path: string, atKey = false): string {
    const { file, line, column } = this.#document.locate(this.#path + path, atKey);
    return `${file}:${line}:${column}`;
  }
}

/** Where a document stands. It may move, as what stands before it in the file grows, and stays the same document. */
class DocumentPlace {
  readonly #text: string;
  #file: string;
  #line: number;
  #parsed: SourceDocument | null = null;

  constructor(file: string, { text, line }: DocumentText) {
    this.#file = file;
    this.#line = line;
    this.#text = text;
  }

  move(file: string, line: number): void {
    this.#file = file;
    this.#line = line;
  }

  locate(path: string, atKey: boolean): { file: string; line: number; column: number } {
    this.#parsed ??= readDocument('', this.#text);
    const { line, column } = this.#parsed.place({ ...error(path, ''), atKey });
    return { file: this.#file, line: line + this.#line - 1, column };
  }
}

/** What one document of a manifest holds. */
export interface ParsedDocument {
  readonly objects: readonly KubernetesObject[];
  /** Kinds that were passed over, as `apiVersion kind`. */
  readonly passedOver: readonly string[];
  /** Objects that are none; the rest of the document stands. With the place in the file at the time it was parsed. */
  readonly faults: readonly Fault[];
  readonly place: { move(file: string, line: number): void };
}

export interface Fault {
  readonly origin: Origin;
  readonly path: string;
  readonly message: string;
}

export type ManifestDocument = ParsedDocument | { readonly syntax: readonly Problem[] };

/**
 * Reads one document, and the items of a List. Pure. A document that is no YAML is told of with the reader's
 * problems; what is no object within one that is, as a fault.
 */
export function parseManifest(file: string, document: DocumentText): ManifestDocument {
  const json = parseJson(document.text);
  const place = new DocumentPlace(file, document);
  if (json !== undefined) return readAll(json, place);
  const { data, problems } = readDocument(file, document.text);
  if (problems.length > 0) {
    return { syntax: problems.map((problem) => ({ ...problem, line: problem.line + document.line - 1 })) };
  }
  return readAll(data, place);
}

function readAll(data: unknown, place: DocumentPlace): ParsedDocument {
  const objects: KubernetesObject[] = [];
  const passedOver: string[] = [];
  const faults: Fault[] = [];
  const read = (value: unknown, path: string): void => {
    const origin = new DocumentOrigin(place, path);
    const result = readObject(value, origin);
    if ('object' in result) objects.push(result.object);
    else if ('passedOver' in result) passedOver.push(result.passedOver);
    else faults.push({ origin, ...result.fault });
  };
  const items = itemsOf(data);
  if (items === null) {
    if (data !== null) read(data, '');
  } else if (items.length > maxItems) {
    const origin = new DocumentOrigin(place, '');
    faults.push({ origin, path: '/items', message: `more than ${maxItems} items` });
  } else for (const [index, item] of items.entries()) read(item, pointer('items', index));
  return { objects, passedOver, faults, place };
}

/** The items of a `v1 List`, or of an `IngressList` and its like, whose items leave out what the list says. */
function itemsOf(data: unknown): readonly unknown[] | null {
  if (typeof data !== 'object' || data === null) return null;
  const { kind, apiVersion, items } = data as Record<string, unknown>;
  if (typeof kind !== 'string' || !kind.endsWith('List') || !Array.isArray(items)) return null;
  if (kind === 'List') return items;
  return items.map((item: unknown) =>
    typeof item === 'object' && item !== null && !Object.hasOwn(item, 'kind')
      ? { ...item, apiVersion, kind: kind.slice(0, -'List'.length) }
      : item,
  );
}

/** A fault as a line: place, path, message. */
export function formatFault({ origin, path, message }: Fault): string {
  return `${origin.at(path)} ${path === '' ? '/' : path} ${message}`;
}
