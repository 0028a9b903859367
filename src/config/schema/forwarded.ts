import { Type } from 'typebox';
import { AddressRange } from './access.ts';
import { strict } from './value.ts';

/** What is believed of X-Forwarded-* headers, and from whom. Absent: nothing from nobody. */
export const Forwarded = Type.Object(
  {
    trust: Type.Array(AddressRange, {
      minItems: 1,
      description: 'The proxies in front whose X-Forwarded-For, -Proto, -Host and -Port are believed.',
    }),
    append: Type.Optional(
      Type.Boolean({
        description: "Put the proxy's own address behind X-Forwarded-For in place of replacing it.",
      }),
    ),
  },
  strict,
);
