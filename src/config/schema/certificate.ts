import { Type } from 'typebox';
import { FilePath, strict } from './value.ts';

/** A certificate of our own, with its key and what is stapled to it. */
export const OwnCertificate = Type.Object(
  {
    cert: FilePath,
    key: FilePath,
    stapling: Type.Optional(
      Type.Boolean({
        description: "Staple the answer of the certificate's OCSP responder. The file needs its issuer too.",
      }),
    ),
    ocspResponse: Type.Optional(
      Type.String({ minLength: 1, description: 'A file with the answer to staple, in DER.' }),
    ),
  },
  strict,
);
