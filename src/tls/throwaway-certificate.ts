import { generateKeyPairSync, sign } from 'node:crypto';

/** A server's certificate and key that nobody verifies. */
export interface ThrowawayCertificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

let made: ThrowawayCertificate | null = null;

/** Made once per process: self-signed, P-256, which is the cheapest that a TLS 1.2 server can sign with. */
export function throwawayCertificate(): ThrowawayCertificate {
  made ??= newThrowawayCertificate();
  return made;
}

/** Another one. RFC 5280 §4.1, with an empty name, no extensions and a validity from 1970 to 2049. */
export function newThrowawayCertificate(): ThrowawayCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  // ecdsa-with-SHA256, 1.2.840.10045.4.3.2
  const algorithm = der(0x30, der(0x06, Buffer.from('2a8648ce3d040302', 'hex')));
  const noName = der(0x30);
  const contents = der(
    0x30,
    der(0x02, Buffer.of(1)),
    algorithm,
    noName,
    der(0x30, utcTime('700101000000Z'), utcTime('491231235959Z')),
    noName,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const signature = sign('sha256', contents, privateKey);
  const certificate = der(0x30, contents, algorithm, der(0x03, Buffer.of(0), signature));
  const lines = certificate
    .toString('base64')
    .replaceAll(/(.{64})/g, '$1\n')
    .trim();
  return Object.freeze({
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  });
}

function utcTime(text: string): Buffer {
  return der(0x17, Buffer.from(text, 'ascii'));
}

/** Tag, length, value (X.690 §8.1); up to 65,535 bytes. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const { length } = body;
  const head =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...head), body]);
}
