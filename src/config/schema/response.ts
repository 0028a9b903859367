import { Type } from 'typebox';
import { record, strict } from './value.ts';

const headerName = {
  pattern: "^[!#$%&'*+.^`|~0-9A-Za-z_-]{1,128}$",
  description: 'a header name',
};

/** One line of printable characters: what a header may hold. */
const HeaderValue = Type.String({ pattern: '^[ -~]*$', maxLength: 4096 });

const Replacement = Type.Object(
  {
    from: Type.String({ minLength: 1, maxLength: 1000, description: 'What is replaced.' }),
    to: Type.String({ pattern: '^[ -~]*$', maxLength: 1000 }),
    regex: Type.Optional(
      Type.Boolean({ description: '`from` is a regular expression (RE2), `to` may hold $1 to $9.' }),
    ),
  },
  strict,
);

/** How responses are changed on their way to the client; ours and the upstream's alike. */
export const ResponseEdits = Type.Object(
  {
    set: Type.Optional(
      record(headerName, HeaderValue, { description: 'Headers, in place of what the upstream says.' }),
    ),
    remove: Type.Optional(Type.Array(Type.String({ pattern: headerName.pattern }))),
    hsts: Type.Optional(
      Type.Object(
        {
          maxAge: Type.Integer({ minimum: 0, description: 'Seconds.' }),
          includeSubDomains: Type.Optional(Type.Boolean()),
          preload: Type.Optional(Type.Boolean()),
        },
        { ...strict, description: 'Strict-Transport-Security (RFC 6797), over https only.' },
      ),
    ),
    cookieDomains: Type.Optional(
      Type.Array(Replacement, { description: 'Domain attributes of Set-Cookie, as proxy_cookie_domain.' }),
    ),
    cookiePaths: Type.Optional(
      Type.Array(Replacement, { description: 'Path attributes of Set-Cookie, as proxy_cookie_path.' }),
    ),
    locations: Type.Optional(
      Type.Array(Replacement, { description: 'Beginnings of Location and Refresh, as proxy_redirect.' }),
    ),
  },
  strict,
);

/** Headers that are set on the request to the upstream. */
export const RequestEdits = Type.Object(
  { set: record({ pattern: '^[0-9A-Za-z-]{1,128}$', description: 'a header name' }, HeaderValue) },
  strict,
);
