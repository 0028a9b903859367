import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { ListenTarget } from '../listen.ts';
import { shorten } from '../observe/shorten.ts';
import type { AccessLog } from '../observe/access-log.ts';
import { LineRate } from '../observe/line-rate.ts';
import { nobody } from '../snapshot/admin-access.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { Steps } from '../steps.ts';
import { plainAddress } from '../tls/ip-address.ts';
import { type Answer, text, type WholeAnswer } from './answer.ts';
import { hasBody, readBody } from './body.ts';
import { crossSiteFault, hostsOf } from './cross-site.ts';
import { BadCall, type Endpoint } from './endpoint.ts';
import { AdminFront } from './front.ts';
import { isLoopback, namesLoopback } from './loopback.ts';
import { type Answered, authorizationOf, permits } from './permission.ts';
import { Streams } from './streams.ts';
import { certified } from './tls.ts';

export interface AdminDeps {
  readonly endpoints: readonly Endpoint[];
  /** What is in force now; null before anything is. */
  readonly snapshot: () => Pick<Snapshot, 'listeners' | 'denyList'> | null;
  readonly log: Pick<AccessLog, 'program'>;
}

/** Milliseconds that requests under way get when the listener closes. */
const closeMs = 1000;

/** Milliseconds that a change may take until whoever asked for it is no longer waited for. */
const changeMs = 300_000;

/** Milliseconds in which a client takes nothing of its answer, or asks for nothing more. */
const idleMs = 10_000;

/** Bytes of a request's target. */
const maxTarget = 4096;

/**
 * The second listener: metrics for Prometheus, health for whoever restarts us, readiness for whoever sends us
 * traffic, and the operator's view. Plain node:http, not Fastify: a table of exact paths needs no router, and it
 * stays up if the full lane's framework does not.
 *
 * Each request is held against, in this order: the name it asks for (DNS rebinding), where it comes from (cross-site),
 * the table, the caller's permission, its body. What is changed is logged with who did it.
 */
export class Admin {
  readonly #deps: AdminDeps;
  readonly #server: Server;
  readonly #paths: ReadonlyMap<string, ReadonlyMap<string, Endpoint>>;
  readonly #streams = new Streams();
  readonly #refusals = new LineRate(10, Date.now);
  readonly #front: AdminFront;
  #bound: AddressInfo | null = null;

  constructor(deps: AdminDeps) {
    this.#deps = deps;
    this.#paths = tableOf(deps.endpoints);
    this.#server = createServer(
      {
        maxHeaderSize: 8192,
        headersTimeout: 5000,
        requestTimeout: 5000,
        connectionsCheckingInterval: 1000,
        keepAliveTimeout: 5000,
      },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.maxHeadersCount = 64;
    this.#server.maxRequestsPerSocket = 1000;
    // A client that asks and does not read the answer.
    this.#server.setTimeout(idleMs);
    this.#front = new AdminFront(this.#server);
  }

  /**
   * Makes ready for a configuration, step by step, and gives the switch that puts it in force.
   * @throws TlsMaterialError when its certificate or trust store does not load; nothing has changed then.
   */
  prepareSteps(snapshot: Snapshot): Steps<() => void> {
    return this.#front.prepareSteps(snapshot);
  }

  /** Port 0: one that is free. Rejects with the system's error (EADDRINUSE, EACCES …). */
  async listen(target: ListenTarget): Promise<AddressInfo> {
    this.#bound = await this.#front.listen(target);
    return this.#bound;
  }

  /** Stops listening; answers under way get a second, streams end. Never rejects. */
  close(): Promise<void> {
    this.#streams.close();
    return this.#front.close(closeMs);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#answerOf(request);
    } catch (error) {
      answer = error instanceof BadCall ? text(400, error.message) : text(500, 'internal error');
    }
    if (response.destroyed) return;
    if ('start' in answer) this.#stream(request, response, answer);
    else send(request, response, answer);
  }

  async #answerOf(request: IncomingMessage): Promise<Answer> {
    const { url = '', method = '' } = request;
    if (this.#front.isLoopback && !namesLoopback(hostsOf(request), this.#bound)) {
      // A web page whose name an attacker lets resolve to 127.0.0.1 would be read from the browser of whoever
      // opens it, past the loopback (DNS rebinding): such a request carries that page's name.
      return refused(421, 'ask for localhost, 127.0.0.1 or [::1]');
    }
    if (url.length > maxTarget) return refused(414, `a target of more than ${maxTarget} bytes`);
    const query = url.indexOf('?');
    const path = query === -1 ? url : url.slice(0, query);
    const methods = this.#paths.get(path);
    const endpoint = methods?.get(method === 'HEAD' ? 'GET' : method);
    const isReading = endpoint !== undefined && endpoint.permission !== 'changing';
    const fault = crossSiteFault(
      request,
      this.#front.isTls ? 'https' : 'http',
      isReading && endpoint.method === 'GET',
    );
    if (fault !== null) return this.#refuse(request, path, 403, fault, 'unknown');
    if (methods === undefined) return text(404, `there is ${[...this.#paths.keys()].join(', ')}`);
    if (endpoint === undefined) {
      const allowed = [...methods.keys()].flatMap((one) => (one === 'GET' ? ['GET', 'HEAD'] : [one]));
      const headers = { allow: allowed.join(', ') };
      return { ...refused(405, `only ${allowed.join(' and ')}`), headers };
    }
    const { permission, bodyLimit } = endpoint;
    const answered = this.#permits(request, permission);
    if (!answered.allowed) {
      const { status, line, caller, detail } = answered;
      const refusal = this.#refuse(request, path, status, line, caller, detail);
      return status === 401 ? { ...refusal, headers: challenge(permission === 'changing') } : refusal;
    }
    const { caller } = answered;
    let body: Buffer | null = Buffer.alloc(0);
    if (hasBody(request)) {
      if (bodyLimit === undefined) return refused(400, 'no request here has a body');
      body = await readBody(request, bodyLimit);
      if (body === null) return refused(413, `a body has ${bodyLimit} bytes at most`);
    }
    const call = { query: new URLSearchParams(query === -1 ? '' : url.slice(query)), body, caller };
    if (permission !== 'changing') return endpoint.handle(call);
    return this.#change(request, endpoint, call);
  }

  #permits(request: IncomingMessage, permission: Endpoint['permission']): Answered {
    const { socket } = request;
    const snapshot = this.#deps.snapshot();
    const connection = this.#front.connectionOf(socket);
    return permits(snapshot?.listeners.admin.access ?? nobody, permission, {
      local: this.#front.isLoopback && isLoopback(addressOf(socket)),
      authorization: authorizationOf(request),
      certified:
        connection === null || snapshot === null
          ? null
          : (policy) => certified(connection, snapshot, policy, Date.now()),
    });
  }

  /** Every change is told, done or not, with who wanted it. */
  async #change(
    { socket }: IncomingMessage,
    { handle, method, path }: Endpoint,
    call: Parameters<Endpoint['handle']>[0],
  ): Promise<Answer> {
    const told = (status: number): void =>
      this.#deps.log.program('info', 'admin change', {
        call: `${method} ${path}`,
        by: shorten(call.caller, 1024),
        remote_address: shorten(addressOf(socket), 64),
        status,
      });
    // A reload may take longer than a reader may be silent.
    socket.setTimeout(changeMs);
    try {
      const answer = await handle(call);
      told('status' in answer ? answer.status : 200);
      return answer;
    } catch (error) {
      told(error instanceof BadCall ? 400 : 500);
      throw error;
    } finally {
      socket.setTimeout(idleMs);
    }
  }

  #refuse(
    { method = '', socket }: IncomingMessage,
    path: string,
    status: number,
    line: string,
    caller: string,
    detail: string = line,
  ): WholeAnswer {
    const omitted = this.#refusals.pass();
    if (omitted !== null) {
      this.#deps.log.program('warn', 'admin call refused', {
        call: shorten(`${method} ${path}`, 256),
        by: shorten(caller, 1024),
        remote_address: shorten(addressOf(socket), 64),
        status,
        detail: shorten(detail, 512),
        omitted,
      });
    }
    return refused(status, line);
  }

  #stream(request: IncomingMessage, response: ServerResponse, answer: Exclude<Answer, WholeAnswer>): void {
    if (this.#streams.full) {
      send(request, response, {
        ...refused(503, 'too many streams at once'),
        headers: { 'retry-after': '5' },
      });
      return;
    }
    response.writeHead(200, { 'content-type': answer.type, ...commonHeaders });
    if (request.method === 'HEAD') response.end();
    else {
      // Whoever follows what seldom happens wants to know at once that it does.
      response.flushHeaders();
      this.#streams.start(response, answer);
    }
  }
}

/** Endpoints by path and method. @throws Error where two are the same. */
function tableOf(endpoints: readonly Endpoint[]): ReadonlyMap<string, ReadonlyMap<string, Endpoint>> {
  const paths = new Map<string, Map<string, Endpoint>>();
  for (const endpoint of endpoints) {
    const methods = paths.get(endpoint.path) ?? new Map<string, Endpoint>();
    if (methods.has(endpoint.method)) throw new Error(`${endpoint.method} ${endpoint.path} is there twice`);
    methods.set(endpoint.method, endpoint);
    paths.set(endpoint.path, methods);
  }
  return paths;
}

/** Plain IPv4 also where the socket is one of IPv6. */
function addressOf({ remoteAddress = '' }: Socket): string {
  return plainAddress(remoteAddress);
}

function refused(status: number, line: string): WholeAnswer {
  return { ...text(status, line), close: true };
}

/**
 * A browser asks its user for a password then, which counts for reading only. Each on a line of its own: browsers read no
 * second challenge on a line.
 */
function challenge(changing: boolean): Record<string, readonly string[]> {
  const realm = 'realm="mtls-ingress"';
  const basic = changing ? [] : [`Basic ${realm}, charset="UTF-8"`];
  return { 'www-authenticate': [`Bearer ${realm}`, ...basic] };
}

const commonHeaders = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
};

function send(request: IncomingMessage, response: ServerResponse, answer: WholeAnswer): void {
  const body = Buffer.from(answer.body as string);
  if (answer.close) response.shouldKeepAlive = false;
  response.writeHead(answer.status, {
    'content-type': answer.type,
    'content-length': body.length,
    ...commonHeaders,
    ...answer.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
