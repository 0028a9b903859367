import { Type, type Static } from 'typebox';
import { Duration, strict } from './value.ts';

/** What may be tried at another endpoint: nginx's words of proxy_next_upstream. */
export const RetryCondition = Type.Union([
  Type.Literal('error'),
  Type.Literal('timeout'),
  Type.Literal('invalid_header'),
  Type.Literal('http_403'),
  Type.Literal('http_404'),
  Type.Literal('http_429'),
  Type.Literal('http_500'),
  Type.Literal('http_502'),
  Type.Literal('http_503'),
  Type.Literal('http_504'),
  Type.Literal('non_idempotent'),
  Type.Literal('off'),
]);
export type RetryCondition = Static<typeof RetryCondition>;

/** When a request that one endpoint failed is sent to another. */
export const Retry = Type.Object(
  {
    on: Type.Optional(
      Type.Array(RetryCondition, {
        description:
          'As proxy_next_upstream. Without it: error, and time-outs of connecting. With `timeout`, those of reading count too. A request with a body is sent again only if it was buffered or none of it was read; POST, PATCH and the like only with non_idempotent, or if nothing was sent. Nothing is tried again once a response has begun to reach the client.',
      }),
    ),
    tries: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 100,
        description: "Endpoints tried, the first included; 0: all. Default: the upstream's `tries`.",
      }),
    ),
    timeout: Type.Optional(Duration),
  },
  strict,
);
