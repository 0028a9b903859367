import { Type, type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Identity } from '../tls/identity.ts';
import { parseRfc2253 } from './name.ts';

const text = Type.String({ maxLength: 8192 });
const orNull = <Schema extends ReturnType<typeof Type.String>>(schema: Schema) =>
  Type.Union([schema, Type.Null()]);
const names = Type.Array(text, { maxItems: 64 });

const IdentityFields = Type.Object({
  subject: text,
  issuer: text,
  serial: text,
  fingerprint: text,
  not_before: orNull(text),
  not_after: orNull(text),
  spki: text,
  sha1: text,
  names: Type.Object({ dns: names, uri: names, email: names, ip: names }),
  names_cut: Type.Boolean(),
});

/** A request's line of the access log, as far as a replay goes by it. */
const RequestLine = Type.Object({
  kind: Type.Literal('request'),
  time: text,
  connection: Type.Object({
    listener: Type.Union([Type.Literal('https'), Type.Literal('http')]),
    remote_address: text,
    remote_port: Type.Number(),
    local_port: Type.Number(),
    server_name: orNull(text),
    stores: Type.Array(
      Type.Object({ store: text, verdict: text, issuers: Type.Array(text, { maxItems: 64 }) }),
      { maxItems: 64 },
    ),
    identity: Type.Union([IdentityFields, Type.Null()]),
  }),
  request: Type.Object({
    id: text,
    method: text,
    authority: text,
    target: text,
    host: orNull(text),
    action: Type.Union([Type.Literal('forward'), Type.Literal('respond')]),
    decision: text,
    status: Type.Number(),
    upstream: Type.Union([Type.Object({ name: text }), Type.Null()]),
  }),
});
export type RequestLine = Static<typeof RequestLine>;
const checker = Compile(RequestLine);

/** A request of yesterday. */
export interface Recorded {
  readonly line: RequestLine;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly identity: Identity | null;
}

/** Why a line is not replayed. */
export type Unreplayable =
  | 'no request'
  | 'not JSON'
  | 'without the fields that a replay needs: of another program, or an older version'
  | 'cut: a text was too long for the log'
  | 'refused before it could be decided on (malformed heads, time-outs)'
  | 'refused by a CRL or OCSP, which the log does not hold'
  | 'preflights, whose headers the log does not hold'
  | '421: another connection of theirs was let in, or not';

/** Refusals of heads that were never decided on. */
const headless: ReadonlySet<string> = new Set([
  'bad_request',
  'bad_host',
  'bad_framing',
  'bad_expectation',
  'bad_version',
  'head_too_large',
  'head_timeout',
  'body_timeout',
  'method_refused',
  'plain_http',
  'internal',
]);

const revocation: ReadonlySet<string> = new Set([
  'revoked',
  'crl_expired',
  'crl_missing',
  'ocsp_unknown',
  'ocsp_unavailable',
  'ocsp_expired',
]);

/** Reads a line of the access log. It may be of anything, and written by anyone. */
export function readLine(line: string): Recorded | Unreplayable {
  let data: unknown;
  try {
    data = JSON.parse(line);
  } catch {
    return 'not JSON';
  }
  if (typeof data !== 'object' || data === null || (data as { kind?: unknown }).kind !== 'request') {
    return 'no request';
  }
  if (!checker.Check(data)) {
    return 'without the fields that a replay needs: of another program, or an older version';
  }
  const { request, connection } = data;
  const time = Date.parse(data.time);
  if (Number.isNaN(time)) {
    return 'without the fields that a replay needs: of another program, or an older version';
  }
  if (request.host === null && headless.has(request.decision)) {
    return 'refused before it could be decided on (malformed heads, time-outs)';
  }
  if (revocation.has(request.decision)) return 'refused by a CRL or OCSP, which the log does not hold';
  if (request.decision === 'cors_preflight') return 'preflights, whose headers the log does not hold';
  if (request.decision === 'misdirected') return '421: another connection of theirs was let in, or not';
  if ([request.method, request.authority, request.target].some(isCut)) {
    return 'cut: a text was too long for the log';
  }
  const identity = connection.identity === null ? null : identityOf(connection.identity);
  if (identity === 'cut') return 'cut: a text was too long for the log';
  return { line: data, time, identity };
}

const isCut = (value: string): boolean => value.endsWith('…');

function identityOf(fields: Static<typeof IdentityFields>): Identity | 'cut' {
  const subject = parseRfc2253(fields.subject);
  const issuer = parseRfc2253(fields.issuer);
  const { dns, uri, email, ip } = fields.names;
  const texts = [fields.subject, fields.issuer, fields.serial, ...dns, ...uri, ...email, ...ip];
  if (subject === null || issuer === null || fields.names_cut || texts.some(isCut)) return 'cut';
  return {
    subject,
    issuer,
    subjectText: fields.subject,
    issuerText: fields.issuer,
    san: { dns, uri, email, ip },
    serial: fields.serial,
    // A date that could not be written never ends, or never began: as far off as can be.
    notBefore: fields.not_before === null ? -Infinity : Date.parse(fields.not_before),
    notAfter: fields.not_after === null ? Infinity : Date.parse(fields.not_after),
    sha256: fields.fingerprint,
    sha1: fields.sha1,
    spki: fields.spki,
    keyAlgorithm: '',
    signatureAlgorithm: '',
    der: new Uint8Array(),
  };
}
