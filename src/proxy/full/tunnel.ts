import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Forward } from '../../snapshot/decision.ts';
import { formatHead } from '../answer.ts';
import { valuesOf } from '../headers/field.ts';
import { planResponseHeaders } from '../headers/response.ts';
import type { UpstreamReason } from '../../snapshot/reason.ts';
import type { UpstreamFailure, UpstreamRecord } from '../upstream/outbound.ts';
import { UpstreamError, type Tunnel } from '../upstream/upstreams.ts';
import { chooseDestination } from './destination.ts';
import type { Exchange } from './exchange.ts';
import { outboundHeaders } from './forward.ts';
import type { Lane } from './lane.ts';

/** An upstream's response head past this size is refused, as on the ordinary way. */
const maxHeadBytes = 32 * 1024;

/**
 * The protocol of a request's Upgrade header that a route tunnels, as the client spelled it; null where there
 * is none. `h2c` is never one: behind it would run requests that nobody decided on.
 */
export function chooseProtocol(rawHeaders: readonly string[], allowed: readonly string[]): string | null {
  for (const value of valuesOf(rawHeaders, 'upgrade')) {
    for (const entry of value.split(',')) {
      const protocol = entry.trim();
      const name = protocol.toLowerCase();
      if (name !== 'h2c' && allowed.includes(name)) return protocol;
    }
  }
  return null;
}

/**
 * Opens a tunnel: a connection of its own to the upstream, the request's head, and after its 101 two sockets
 * piped into each other. Any other response is passed to the client and ends the connection.
 *
 * @param head Bytes the client sent behind its request.
 */
export async function openTunnel(
  lane: Lane,
  exchange: Exchange,
  decision: Forward,
  protocol: string,
  head: Buffer,
): Promise<void> {
  const startedAt = performance.now();
  const destination = chooseDestination(lane, exchange, decision);
  const record: UpstreamRecord = {
    upstream: destination.upstream,
    endpoint: null,
    tries: 1,
    headMs: null,
    status: null,
  };
  exchange.record(record);
  const stopWatching = watchForLeaving(exchange);
  const left = new AbortController();
  exchange.response.once('close', () => left.abort());
  let tunnel: Tunnel;
  try {
    const { upstream, preference } = destination;
    const { timeouts, retry } = decision.route;
    tunnel = await lane.upstreams.connect(upstream, timeouts, left.signal, preference, retry);
  } catch (error) {
    if (left.signal.aborted) return;
    const why = readFailure(error);
    exchange.fail(why.reason, why.detail);
    return;
  }
  tunnel.socket.on('error', () => {});
  record.endpoint = tunnel.endpoint;
  // The client may have left while the promise was on its way.
  if (left.signal.aborted) {
    tunnel.release();
    return;
  }
  left.signal.addEventListener('abort', () => tunnel.release());
  const onHead = (status: number): void => {
    record.status = status;
    record.headMs = performance.now() - startedAt;
  };
  const cookies = (): readonly string[] => destination.cookies(tunnel.endpoint);
  ask(exchange, decision, protocol, tunnel, cookies, onHead, (answer, upstreamHead) => {
    const { socket } = exchange.downstream;
    stopWatching();
    exchange.switchProtocols();
    exchange.response.detachSocket(socket);
    const headers = ['Connection', 'Upgrade', 'Upgrade', protocol, ...planResponseHeaders(answer.rawHeaders)];
    headers.push(...cookies().flatMap((cookie) => ['Set-Cookie', cookie]));
    socket.write(formatHead(101, headers));
    if (upstreamHead.length > 0) socket.write(upstreamHead);
    if (head.length > 0) tunnel.socket.write(head);
    join(lane, exchange, decision.route.timeouts.readMs, tunnel, {
      received: head.length,
      sent: upstreamHead.length,
    });
  });
}

/**
 * Sends the head over the socket and reads the response's, with node's client: its parser is the strict,
 * bounded one that every other response is read with.
 */
function ask(
  exchange: Exchange,
  decision: Forward,
  protocol: string,
  tunnel: Tunnel,
  cookies: () => readonly string[],
  onHead: (status: number) => void,
  onSwitch: (answer: IncomingMessage, head: Buffer) => void,
): void {
  const { readMs } = decision.route.timeouts;
  const fail = (reason: UpstreamReason, detail: string): void => {
    clearTimeout(timer);
    tunnel.release({ reason, detail });
    exchange.fail(reason, detail);
  };
  const timer = setTimeout(() => fail('upstream_read_timeout', `no response within ${readMs} ms`), readMs);
  exchange.response.once('close', () => clearTimeout(timer));
  const request = httpRequest({
    createConnection: () => tunnel.socket,
    method: 'GET',
    path: decision.target,
    headers: [...outboundHeaders(exchange, decision), 'Connection', 'Upgrade', 'Upgrade', protocol],
    maxHeaderSize: maxHeadBytes,
  });
  // The size is the limit: past a count, node would drop headers without a word.
  request.maxHeadersCount = 0;
  request.on('error', (error: Error & { code?: string }) => {
    fail(error.code?.startsWith('HPE_') === true ? 'upstream_protocol' : 'upstream_reset', error.message);
  });
  request.on('information', ({ statusCode }) => {
    // A 101 that names no protocol is read as a mere 1xx; nothing sensible can follow it.
    if (statusCode === 101) fail('upstream_protocol', 'a 101 without an Upgrade header');
  });
  request.on('upgrade', (answer, _socket, head) => {
    const accepted = valuesOf(answer.rawHeaders, 'upgrade').join(', ');
    if (accepted.toLowerCase() !== protocol.toLowerCase()) {
      fail('upstream_protocol', `a 101 for ${JSON.stringify(accepted.slice(0, 80))}`);
      return;
    }
    clearTimeout(timer);
    onHead(101);
    onSwitch(answer, head);
  });
  request.on('response', (answer) => {
    clearTimeout(timer);
    onHead(answer.statusCode ?? 0);
    passOn(exchange, answer, tunnel, cookies());
  });
  request.end();
}

/** The upstream would not switch: its response goes to the client as any other, and ends both connections. */
function passOn(
  exchange: Exchange,
  answer: IncomingMessage,
  tunnel: Tunnel,
  cookies: readonly string[],
): void {
  const truncated = (detail: string): void => {
    tunnel.release({ reason: 'upstream_truncated', detail });
    exchange.fail('upstream_truncated', detail);
  };
  exchange.attach({ abort: () => tunnel.release(), resume: () => answer.resume() });
  exchange.addCookies(cookies);
  exchange.start(answer.statusCode ?? 0, answer.rawHeaders);
  answer.on('data', (chunk: Buffer) => {
    if (!exchange.write(chunk)) answer.pause();
  });
  answer.on('end', () => {
    if (!answer.complete) return;
    tunnel.release();
    exchange.end();
  });
  answer.on('error', (error) => truncated(error.message));
}

/**
 * Pipes the two sockets into each other: each side's pace holds the other back, and one side's end is passed
 * on while the other still talks. Silence in both directions ends it after `idleMs` (nginx's
 * proxy_read_timeout).
 */
function join(
  lane: Lane,
  exchange: Exchange,
  idleMs: number,
  tunnel: Tunnel,
  bytes: { received: number; sent: number },
): void {
  const client = exchange.downstream.socket;
  const upstream = tunnel.socket;
  let detail: string | null = null;
  let forget = (): void => {};
  upstream.allowHalfOpen = true;
  const timer = setTimeout(() => {
    detail = `no byte in either direction for ${idleMs} ms`;
    client.destroy();
  }, idleMs);
  client.on('data', (chunk: Buffer) => {
    bytes.received += chunk.length;
    timer.refresh();
  });
  upstream.on('data', (chunk: Buffer) => {
    bytes.sent += chunk.length;
    timer.refresh();
  });
  upstream.on('close', () => {
    // After a clean end the last bytes are still on their way to the client, and `pipe` ends it behind them.
    if (!upstream.readableEnded) exchange.downstream.breakOff();
  });
  client.on('close', () => {
    clearTimeout(timer);
    forget();
    tunnel.release();
    exchange.finishTunnel(bytes.received, bytes.sent, detail);
  });
  client.pipe(upstream);
  upstream.pipe(client);
  const { head } = exchange.judgement;
  if (head === null) {
    client.destroy();
    return;
  }
  forget = lane.tunnels.add({
    connection: exchange.downstream.connection,
    head,
    end: (why) => {
      detail = why;
      client.destroy();
    },
  });
}

/**
 * Notices a client that leaves before the upstream has answered, without reading what it may have sent
 * ahead. Returns what stops it.
 */
function watchForLeaving(exchange: Exchange): () => void {
  const { socket } = exchange.downstream;
  const look = (): void => {
    // With nothing to read, reading is what makes the stream notice its end.
    if (socket.readableLength === 0) socket.read();
  };
  const left = (): void => exchange.fail('client_abort', 'the client left before the tunnel stood');
  socket.on('readable', look);
  socket.on('end', left);
  return () => {
    socket.off('readable', look);
    socket.off('end', left);
  };
}

function readFailure(error: unknown): UpstreamFailure {
  if (error instanceof UpstreamError) return error.failure;
  return { reason: 'upstream_refused', detail: error instanceof Error ? error.message : String(error) };
}
