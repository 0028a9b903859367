import { Type } from 'typebox';
import { strict } from './value.ts';

/** Read a request's body before the upstream is asked. */
export const BufferRequest = Type.Boolean({
  description:
    'Read the body whole before the upstream is asked, so that a slow client does not keep it busy, and the request can be tried again. Bodies of more than 1 MiB, and all of them while 64 MiB are held in all, are sent on as they come. Default false.',
});

/** A limit on the head of a response. */
export const ResponseHeadLimit = Type.String({
  pattern: '^[0-9]+[km]?$',
  description: "Most bytes of a response's head; a larger one is answered 502. Default and at most 64k.",
});

/** What goes upstream as Connection. */
export const ConnectionHeader = Type.Union([Type.Literal('keep-alive'), Type.Literal('close')], {
  description: 'close: a connection for each request. Default keep-alive. Upgrades are not touched by it.',
});

/** Copies of requests. */
export const Mirror = Type.Object(
  {
    upstream: Type.String({ minLength: 1, description: 'Where copies go. What it answers is thrown away.' }),
    host: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z0-9._:\\[\\]-]{1,253}$',
        description: 'The Host of the copies. Default: as the original has it.',
      }),
    ),
    body: Type.Optional(
      Type.Boolean({
        description:
          'Copy the body, too: it is then read whole before the upstream is asked, as with `bufferRequest`; a request whose body is too large for that is not copied. false: copies have no body. Default true.',
      }),
    ),
  },
  strict,
);
