import { splitAuthority } from '../../snapshot/host-name.ts';
import type { Told } from '../../snapshot/request-head.ts';
import type { Snapshot } from '../../snapshot/snapshot.ts';
import { valuesOf } from '../headers/field.ts';
import { clientRequestId } from '../headers/request-id.ts';
import { readTold } from '../headers/told.ts';
import type { Framing } from '../request-head.ts';
import { CR } from '../wire/bytes.ts';
import type { Fields } from '../wire/fields.ts';
import type { RequestPlan } from './request-plan.ts';

/**
 * Headers that make a request the full lane's, whatever they say: those that change what the connection is, that
 * promise something behind the body, or that want an answer before it.
 */
const beyond: ReadonlySet<string> = new Set(['upgrade', 'expect', 'trailer', 'http2-settings']);

/** Headers that say which request this is, and where it ends. */
const telling: ReadonlySet<string> = new Set(['host', 'content-length', 'transfer-encoding', 'connection']);

/**
 * The header section of a plain request, and everything that follows from it alone. A client that sends the very same
 * bytes with its next request on the same connection is served by the same block: nothing in it can have changed.
 */
export class HeaderBlock {
  /** From the first header's first byte to the end of the empty line. */
  readonly bytes: Buffer;
  /** As node gives them. */
  readonly rawHeaders: readonly string[];
  /** `RequestHead.host` and `RequestHead.authority`. */
  readonly host: string;
  readonly authority: string;
  readonly framing: Framing;
  /** The client wants this request to be the connection's last. */
  readonly close: boolean;
  readonly userAgent: string | null;
  readonly accept: string | null;
  /** The client's X-Request-ID. */
  readonly requestId: string | null;
  /** How requests with these headers go to the route that the last one went to. */
  plan: RequestPlan | null = null;
  #told: { readonly by: Snapshot['forwarded']['trust']; readonly told: Told | null } | null = null;

  /** @param bytes A copy of its own. */
  constructor(
    bytes: Buffer,
    rawHeaders: readonly string[],
    facts: Pick<HeaderBlock, 'host' | 'authority' | 'framing' | 'close'>,
  ) {
    this.bytes = bytes;
    this.rawHeaders = rawHeaders;
    this.host = facts.host;
    this.authority = facts.authority;
    this.framing = facts.framing;
    this.close = facts.close;
    this.userAgent = valuesOf(rawHeaders, 'user-agent')[0] ?? null;
    this.accept = valuesOf(rawHeaders, 'accept')[0] ?? null;
    this.requestId = clientRequestId(rawHeaders);
  }

  /** What a trusted proxy in front tells of the client. @param peer The connection's own address. */
  told(peer: string, trust: Snapshot['forwarded']['trust']): Told | null {
    if (trust === null) return null;
    if (this.#told === null || this.#told.by !== trust) {
      this.#told = { by: trust, told: readTold(this.rawHeaders, peer, trust) };
    }
    return this.#told.told;
  }

  /** The same bytes stand at a place. */
  standsAt(bytes: Buffer, at: number): boolean {
    const end = at + this.bytes.length;
    return end <= bytes.length && this.bytes.compare(bytes, at, end) === 0;
  }
}

/**
 * @param fields Read from `from` on.
 * @returns Null where the headers are not unmistakably those of a plain request: one Host, one framing or none, a
 *   Connection that says no more than whether to stay (RFC 9112 §3.2, §6.3, §9.6).
 */
export function readHeaderBlock(bytes: Buffer, from: number, fields: Fields): HeaderBlock | null {
  const rawHeaders = fields.list(bytes.toString('latin1', from, fields.end), from);
  let host: string | null = null;
  let length: string | null = null;
  let coding: string | null = null;
  let connection: string | null = null;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase();
    const value = rawHeaders[index + 1]!;
    if (beyond.has(name)) return null;
    // White space behind these is allowed, and some parsers take it for a part of the value.
    if (telling.has(name) && bytes[fields.places[2 * index + 3]!] !== CR) return null;
    if (name === 'host') {
      if (host !== null) return null;
      host = value;
    } else if (name === 'content-length') {
      if (length !== null) return null;
      length = value;
    } else if (name === 'transfer-encoding') {
      if (coding !== null) return null;
      coding = value;
    } else if (name === 'connection') {
      if (connection !== null) return null;
      connection = value.toLowerCase();
    }
  }
  if (host === null) return null;
  const authority = splitAuthority(host);
  const framing = framingOf(length, coding);
  if (authority === null || framing === null) return null;
  if (connection !== null && connection !== 'keep-alive' && connection !== 'close') return null;
  const facts = { host: authority.host, authority: host, framing, close: connection === 'close' };
  return new HeaderBlock(Buffer.from(bytes.subarray(from, fields.end)), rawHeaders, facts);
}

const none: Framing = { kind: 'none' };
const chunked: Framing = { kind: 'chunked' };

function framingOf(length: string | null, coding: string | null): Framing | null {
  if (coding !== null) return coding === 'chunked' && length === null ? chunked : null;
  if (length === null) return none;
  return /^[0-9]{1,15}$/.test(length) ? { kind: 'length', length: Number(length) } : null;
}
