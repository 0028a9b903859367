import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { ApiError } from '../../../src/ingress/kubernetes/api-error.ts';
import { readFromCluster } from '../../../src/ingress/kubernetes/cluster.ts';
import type { Api } from '../../../src/ingress/kubernetes/dry-api.ts';
import { readClusterFlags } from '../../../src/ingress/kubernetes/serve-options.ts';
import type { Known } from '../../../src/ingress/kubernetes/webhook/judge.ts';
import { makeDefaultCertificate } from '../../../src/ingress/default-certificate.ts';
import { TranslationMemory } from '../../../src/ingress/translate.ts';
import type { Manifest } from '../../support/objects.ts';

const certificate = await makeDefaultCertificate();

/** A cluster in which these objects are known. */
export function knownOf(
  objects: readonly Manifest[],
  part: Partial<Pick<Known, 'looksAt' | 'hasAsked'>> = {},
): Known {
  const options = readClusterFlags({});
  if ('fault' in options) throw new Error(options.fault);
  return {
    options: { ...options.translate, requiresClass: true, defaultCertificate: certificate },
    objects: objects.map((object) => readFromCluster(stored(object))!),
    memory: new TranslationMemory(),
    looksAt: () => true,
    hasAsked: () => true,
    ...part,
  };
}

/** As the API server would keep it. */
export function stored(object: Manifest, second = 0): Manifest {
  const creationTimestamp = new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
  return {
    ...object,
    metadata: { creationTimestamp, resourceVersion: '1', uid: randomUUID(), ...object.metadata },
  };
}

/** An AdmissionReview, as the API server sends it. */
export function reviewOf(
  object: Readonly<Record<string, unknown>> | null,
  more: Readonly<Record<string, unknown>> = {},
) {
  const { version = 'v1', ...request } = more;
  const metadata = object?.['metadata'] as Partial<Manifest['metadata']> | undefined;
  return {
    kind: 'AdmissionReview',
    apiVersion: `admission.k8s.io/${String(version)}`,
    request: {
      uid: 'b4f1',
      kind: { group: 'networking.k8s.io', version: 'v1', kind: 'Ingress' },
      operation: 'CREATE',
      name: metadata?.name ?? '',
      namespace: metadata?.namespace ?? '',
      object,
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
      ...request,
    },
  };
}

/** Objects by their path; versions are counted. What a test wants to go wrong goes wrong in `fails`. */
export class FakeStore {
  readonly objects = new Map<string, Record<string, unknown>>();
  readonly written: string[] = [];
  fails: (verb: string, path: string) => ApiError | null = () => null;
  #version = 1;

  readonly api: Pick<Api, 'get' | 'create' | 'replace' | 'patch'> = {
    get: async (path) => this.#there('get', path),
    create: async (path, body) => {
      const { metadata } = body as { metadata: { name: string } };
      const key = `${path}/${metadata.name}`;
      this.#check('create', key);
      if (this.objects.has(key)) throw new ApiError(409, 'AlreadyExists', `${key} is there`);
      return this.put(key, body);
    },
    replace: async (path, body) => {
      this.#conflict(path, body, this.#there('replace', path));
      return this.put(path, body);
    },
    patch: async (path, body) => {
      const there = this.#there('patch', path);
      this.#conflict(path, body, there);
      return this.put(path, { ...there, ...body });
    },
  };

  put(path: string, body: object): Record<string, unknown> {
    const object = structuredClone(body) as Record<string, unknown>;
    object['metadata'] = { ...(object['metadata'] as object), resourceVersion: String(this.#version++) };
    this.objects.set(path, object);
    this.written.push(path);
    return structuredClone(object);
  }

  #there(verb: string, path: string): Record<string, unknown> {
    this.#check(verb, path);
    const object = this.objects.get(path);
    if (object === undefined) throw new ApiError(404, 'NotFound', `${path} is not there`);
    return structuredClone(object);
  }

  #conflict(path: string, body: object, there: object): void {
    const version = (object: object): unknown =>
      (object as { metadata?: { resourceVersion?: string } }).metadata?.resourceVersion;
    if (version(body) !== version(there)) throw new ApiError(409, 'Conflict', `${path} has changed`);
  }

  #check(verb: string, path: string): void {
    const error = this.fails(verb, path);
    if (error !== null) throw error;
  }
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly certificate: PeerCertificate;
}

/** One request over a connection of its own, as the API server makes it. */
export async function ask(
  port: number,
  path: string,
  body: unknown,
  {
    method = 'POST',
    headers = {},
    ca,
    servername = 'mtls-ingress-webhook.default.svc',
  }: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly ca?: readonly string[];
    readonly servername?: string;
  } = {},
): Promise<Reply> {
  const request = httpsRequest({
    host: '127.0.0.1',
    port,
    path,
    method,
    servername,
    agent: false,
    headers: { 'content-type': 'application/json', ...headers },
    ...(ca === undefined ? { rejectUnauthorized: false } : { ca: [...ca] }),
  });
  // Who refuses a body does not wait for the end of it.
  const answered = once(request, 'response');
  request.end(body instanceof Buffer || typeof body === 'string' ? body : JSON.stringify(body));
  const [response] = (await answered) as [IncomingMessage];
  const certificate = (response.socket as TLSSocket).getPeerCertificate(true);
  let text = '';
  response.setEncoding('utf8');
  for await (const piece of response) text += String(piece);
  return { status: response.statusCode ?? 0, headers: response.headers, body: text, certificate };
}
