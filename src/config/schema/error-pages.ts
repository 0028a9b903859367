import { Type } from 'typebox';
import { record, strict } from './value.ts';

/** Whose answers stand in for errors, of the upstream and of ours: custom-http-errors. */
export const ErrorPages = Type.Object(
  {
    statuses: Type.Array(Type.Integer({ minimum: 400, maximum: 599 }), { minItems: 1, maxItems: 64 }),
    upstream: Type.String({
      minLength: 1,
      description: 'Asked for `/` with X-Code, X-Format and X-Original-URI; its answer is the client’s.',
    }),
    headers: Type.Optional(
      record(
        { pattern: '^[0-9A-Za-z-]{1,128}$', description: 'a header name' },
        Type.String({ pattern: '^[ -~]*$', maxLength: 1024 }),
        { description: 'Further headers of the question, such as X-Namespace and X-Ingress-Name.' },
      ),
    ),
  },
  strict,
);
