import { Type } from 'typebox';
import { strict } from './value.ts';

/** Which denials the admin listener can still tell of. */
export const Denials = Type.Object(
  {
    keep: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 100_000,
        description: 'How many of the last denials and failed handshakes are kept in memory. Default 1000.',
      }),
    ),
    size: Type.Optional(
      Type.String({
        pattern: '^[1-9][0-9]{0,3}[km]$',
        description: 'How much memory they take at most, whatever their number. Default 4m.',
      }),
    ),
  },
  strict,
);
