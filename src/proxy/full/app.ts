import httpProxy from '@fastify/http-proxy';
import Fastify, { type FastifyInstance } from 'fastify';
import { METHODS, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { LaneRequest } from './lane-request.ts';

/** What the lane does at the two places where Fastify asks it. */
export interface AppHooks {
  /** Decides on the request. False: it is answered, and Fastify is to forget it. */
  onRequest(request: LaneRequest): boolean;
  /** Forwards the request; Fastify is to forget it. */
  onForward(request: LaneRequest): void;
  /** Something in between threw. */
  onError(request: LaneRequest, error: unknown): void;
}

export interface App {
  readonly instance: FastifyInstance;
  /** Fastify's entry: to be called for each request of the server. */
  readonly route: (request: IncomingMessage, response: ServerResponse) => void;
}

/**
 * Fastify with @fastify/http-proxy, told to keep its hands off what is ours:
 * - path and route: both see `/` for every request, because their own reading of a path (decoding, refusing
 *   what is not UTF-8) must not differ from the one that the decision was made on;
 * - bodies: every method is declared as one without, so no content type is looked at and no body is read
 *   before our handler has the untouched stream;
 * - WebSocket: http-proxy's relay has no back-pressure; upgrades never come here.
 *
 * @param server The http.Server whose requests are routed here; they are LaneRequests.
 */
export function createApp(server: Server<typeof LaneRequest>, hooks: AppHooks): App {
  let route: App['route'] | null = null;
  const instance = Fastify({
    serverFactory: (handler) => {
      route = handler;
      return server;
    },
    rewriteUrl: () => '/',
    // Fastify puts this on the server in place of its own, which would answer over ours.
    clientErrorHandler: () => {},
    logger: false,
    exposeHeadRoutes: false,
    return503OnClosing: false,
  });
  for (const method of METHODS) instance.addHttpMethod(method, { hasBody: false, overrideExisting: true });
  instance.addHook('onRequest', (request, reply, done) => {
    if (hooks.onRequest(request.raw as LaneRequest)) done();
    else reply.hijack();
  });
  instance.setErrorHandler((error, request, reply) => {
    reply.hijack();
    hooks.onError(request.raw as LaneRequest, error);
  });
  instance.register(httpProxy, {
    // Never dialled: the handler below sends every request through our own dispatch.
    upstream: 'http://upstream.invalid',
    routes: ['/'],
    httpMethods: [...METHODS],
    preRewrite: () => '/',
    websocket: false,
    handler: (request, reply) => {
      reply.hijack();
      hooks.onForward(request.raw as LaneRequest);
    },
  });
  if (route === null) throw new Error('Fastify did not ask for its server');
  return { instance, route };
}
