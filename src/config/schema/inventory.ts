import { Type } from 'typebox';
import { strict } from './value.ts';

/** Which identities are remembered, and where. */
export const Inventory = Type.Object(
  {
    keep: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 100_000,
        description:
          'How many identities are remembered at most; those not seen the longest are given up first. Default 10000; 0 for none.',
      }),
    ),
    file: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 4096,
        pattern: '^/[^\\u0000]*$',
        description:
          'Where they are kept across restarts: an absolute path in a folder that this program may write to. Without it they are kept in memory alone.',
      }),
    ),
  },
  strict,
);
