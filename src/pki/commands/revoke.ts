import { readCertificate, serialText, parseX509 } from '../certificate-reader.ts';
import { revocationReasons, type RevocationReason } from '../crl.ts';
import { PkiError } from '../error.ts';
import { exists, readBytes } from '../files.ts';
import { isIssuedBy, type IssuerCertificate } from '../issuer-files.ts';
import { lookUp } from '../ledger.ts';
import { readCertificates } from '../pem.ts';
import { nameText } from '../describe.ts';
import { issuerCertificateFrom } from './issuer-options.ts';
import { type Subcommand, text } from './subcommand.ts';

interface Target {
  readonly serial: string;
  readonly subject: string | null;
  readonly notAfter: string | null;
}

async function fromFile(file: string, authority: IssuerCertificate): Promise<Target> {
  const certificate = parseX509(readCertificates(await readBytes(file), file)[0]!, file);
  // Another CA's serial in our CRL would revoke nobody, and the operator would not know.
  if (!isIssuedBy(certificate, authority.certificate)) {
    throw new PkiError(`${file} was not issued by ${authority.path}`);
  }
  const parts = readCertificate(certificate.raw);
  return {
    serial: serialText(parts.serial),
    subject: nameText(parts.subject),
    notAfter: new Date(parts.notAfter).toISOString(),
  };
}

function serialFrom(argument: string): string | null {
  const digits = argument.replaceAll(':', '').toUpperCase();
  if (!/^[0-9A-F]{1,40}$/.test(digits)) return null;
  const even = digits.length % 2 === 0 ? digits : `0${digits}`;
  return even.replace(/^(?:00)+(?=..)/, '');
}

/** `pki revoke`: take a certificate back. */
export const revoke: Subcommand = {
  usage: 'CERT.pem|SERIAL --ca FILE [--reason REASON]',
  summary: 'take a certificate back; "pki crl" tells the world',
  help: `Writes to the issuer's database who is revoked, when and why. A serial alone must be in the database; a
certificate that is not there is taken if this issuer signed it.

  --ca FILE                       the issuer's certificate (its key is not needed)
  --db FILE                       its database; default: NAME-db.jsonl beside it
  --reason REASON                 ${Object.keys(revocationReasons).slice(0, 4).join(', ')},
                                  ${Object.keys(revocationReasons).slice(4).join(', ')}`,
  options: { ca: { type: 'string' }, db: { type: 'string' }, reason: { type: 'string' } },
  positionals: { min: 1, max: 1 },
  async run([argument = ''], values, context) {
    const reason = text(values, 'reason') ?? 'unspecified';
    if (!Object.hasOwn(revocationReasons, reason)) {
      throw new PkiError(
        `there is no reason ${JSON.stringify(reason)}; there are ${Object.keys(revocationReasons).join(', ')}`,
      );
    }
    const authority = await issuerCertificateFrom(values);
    const { database } = authority;
    const given = (await exists(argument)) ? null : serialFrom(argument);
    const target: Target =
      given === null ? await fromFile(argument, authority) : { serial: given, subject: null, notAfter: null };
    return await database.exclusively(async () => {
      const known = await lookUp(database, target.serial);
      if (known.revoked !== null) {
        throw new PkiError(
          `${target.serial} is revoked already, since ${known.revoked.at} (${known.revoked.reason})`,
        );
      }
      if (given !== null && !known.issued) {
        throw new PkiError(
          `${database.path} knows no certificate with the serial ${given}; name its file instead`,
        );
      }
      const subject = target.subject ?? known.subject;
      const notAfter = target.notAfter ?? known.notAfter;
      await database.append({
        event: 'revoked',
        at: new Date(context.now).toISOString(),
        serial: target.serial,
        reason: reason as RevocationReason,
        ...(subject === null ? {} : { subject }),
        ...(notAfter === null ? {} : { notAfter }),
      });
      context.say(`revoked ${target.serial}${subject === null ? '' : ` ${subject}`} (${reason})`);
      context.say('  it counts once a new CRL is out: mtls-ingress pki crl --ca …');
      return 0;
    });
  },
};
