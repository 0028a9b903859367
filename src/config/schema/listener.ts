import { Type } from 'typebox';
import { OwnCertificate } from './certificate.ts';
import { trust } from './client-auth.ts';
import { PolicyRef } from './policy.ts';
import { Duration, FilePath, strict } from './value.ts';

const Port = Type.Integer({ minimum: 0, maximum: 65535, description: '0 lets the system pick a free port.' });

const ProxyProtocol = Type.Object(
  {
    trusted: Type.Array(Type.String(), {
      minItems: 1,
      maxItems: 1024,
      description:
        'Addresses and ranges of the proxies in front. Each connection of theirs has to open with a PROXY header, and the address in it is believed.',
      examples: [['10.0.0.0/8']],
    }),
    timeout: Type.Optional(Duration),
  },
  { ...strict, description: 'The PROXY protocol, versions 1 and 2.' },
);

const Off = Type.Literal('off');

const grant = {
  policy: Type.Optional(PolicyRef),
  token: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'A file of tokens, one a line, `token` or `name:token`, each of 128 bits or more: whoever sends one of them as `Authorization: Bearer` is let in.',
    }),
  ),
};

const AdminListener = Type.Object(
  {
    address: Type.Optional(Type.String()),
    port: Port,
    certificate: Type.Optional(OwnCertificate),
    clientAuth: Type.Optional(
      Type.Object(
        { ...trust, ca: FilePath },
        { ...strict, description: 'Whose client certificates count; whom of them, the policies below say.' },
      ),
    ),
    reading: Type.Optional(
      Type.Union([Off, Type.Object(grant, { ...strict, minProperties: 1 })], {
        description:
          'Who may read metrics, status and the like. Without it everyone on this machine may; off: nobody may. Elsewhere than on loopback it has to be said.',
      }),
    ),
    changing: Type.Optional(
      Type.Union(
        [
          Off,
          Type.Object(
            {
              ...grant,
              local: Type.Optional(
                Type.Literal(true, {
                  description: 'Everyone on this machine may. On a loopback address only.',
                }),
              ),
            },
            { ...strict, minProperties: 1 },
          ),
        ],
        { description: 'Who may reload, drain and the like; they may read, too. Default off: nobody may.' },
      ),
    ),
    probes: Type.Optional(
      Type.Union([Type.Literal('open'), Type.Literal('reading')], {
        description: 'Who may ask for /healthz and /readyz: everyone, or who may read.',
        default: 'open',
      }),
    ),
    dangerouslyWithoutTls: Type.Optional(
      Type.Literal(true, {
        description:
          'Take tokens over plain HTTP elsewhere than on loopback. Whoever can listen on the way can use them then.',
      }),
    ),
  },
  strict,
);

const HttpsListener = Type.Object(
  { address: Type.Optional(Type.String()), port: Port, proxyProtocol: Type.Optional(ProxyProtocol) },
  strict,
);

const HttpListener = Type.Object(
  {
    address: Type.Optional(Type.String()),
    port: Port,
    proxyProtocol: Type.Optional(ProxyProtocol),
    redirectPort: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 65535,
        description: 'The port written into the redirect to https.',
      }),
    ),
  },
  strict,
);

/** The addresses that the program accepts on. */
export const Listeners = Type.Object(
  {
    https: HttpsListener,
    http: Type.Optional(HttpListener),
    admin: Type.Optional(AdminListener),
    reusePort: Type.Optional(
      Type.Boolean({
        description:
          'Let another instance of the same user listen beside this one, so that it can take over without a gap. Both need it. Default false.',
      }),
    ),
  },
  strict,
);
