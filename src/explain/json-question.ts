import { isIP } from 'node:net';
import { type Static, Type } from 'typebox';
import { record, strict } from '../config/schema/value.ts';
import { shapeCheck } from '../config/shape.ts';
import { messageOf } from '../pki/error.ts';
import { readCertificates } from '../pki/pem.ts';
import { maxCertificates } from './client-chain.ts';
import { BadQuestion, type ClientChain, type Question, serverNameFor } from './question.ts';
import { parseTime } from './time.ts';

const Text = (maxLength: number, description: string) => Type.String({ maxLength, description });

/** A question as JSON: the body of `POST /explain`. */
const JsonQuestion = Type.Object(
  {
    host: Text(300, 'The Host of the request.'),
    path: Type.Optional(Text(8192, 'Its path, with the query if there is one.')),
    method: Type.Optional(Text(32, 'Its method.')),
    headers: Type.Optional(
      record({ pattern: '^.{1,128}$', description: 'a header name' }, Text(8192, 'A value.'), {
        maxProperties: 100,
      }),
    ),
    certificate: Type.Optional(
      Type.Union([Type.Null(), Text(100_000, 'What the client sends, PEM, its own certificate first.')]),
    ),
    serverName: Type.Optional(
      Type.Union([Type.Null(), Text(300, 'The server name of the handshake; null for none.')]),
    ),
    address: Type.Optional(Text(64, "The client's IP address.")),
    plainHttp: Type.Optional(Type.Boolean({ description: 'Over the plain listener.' })),
    time: Type.Optional(Text(40, 'A moment such as 2026-11-24T12:00:00Z.')),
  },
  strict,
);
type JsonQuestion = Static<typeof JsonQuestion>;

const check = shapeCheck(JsonQuestion, 'is no question');

/** @throws BadQuestion which says what is wrong, and where. */
export function readQuestion(data: unknown): Question {
  const [first] = check(data);
  if (first !== undefined) throw new BadQuestion(`${first.path === '' ? '/' : first.path} ${first.message}`);
  const {
    host,
    path = '/',
    method = 'GET',
    headers = {},
    certificate,
    serverName,
    ...rest
  } = data as JsonQuestion;
  const { address = '127.0.0.1', plainHttp = false, time } = rest;
  if (!path.startsWith('/')) throw new BadQuestion('/path begins with a slash');
  if (isIP(address) === 0) throw new BadQuestion('/address is no IP address');
  const at = time === undefined ? null : parseTime(time);
  if (time !== undefined && at === null) throw new BadQuestion('/time is none such as 2026-11-24T12:00:00Z');
  return {
    host,
    target: path,
    method,
    headers: Object.entries(headers).flatMap(([name, value]) => [
      name,
      Buffer.from(value).toString('latin1'),
    ]),
    certificate: certificate === undefined || certificate === null ? null : chainOf(certificate),
    serverName: serverName === undefined ? serverNameFor(host) : serverName,
    address,
    plainHttp,
    time: at,
  };
}

function chainOf(pem: string): ClientChain {
  let chain: readonly Buffer[];
  try {
    chain = readCertificates(Buffer.from(pem), '/certificate');
  } catch (error) {
    throw new BadQuestion(messageOf(error));
  }
  if (chain.length > maxCertificates)
    throw new BadQuestion(`/certificate: more than ${maxCertificates} certificates`);
  return { chain };
}
