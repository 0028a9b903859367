import { extensionOf, readCertificate } from '../certificate-reader.ts';
import { writeCrl } from '../crl-writer.ts';
import { describeDuration, parseDuration } from '../duration.ts';
import { PkiError } from '../error.ts';
import { crlSignBit, readKeyUsage } from '../issuer.ts';
import { stemOf } from '../issuer-files.ts';
import { crlHistory, revocations } from '../ledger.ts';
import { extensionOids } from '../oid.ts';
import { issuerFrom, issuerHelp, issuerOptions } from './issuer-options.ts';
import { flag, type Subcommand, text } from './subcommand.ts';

/** `pki crl`: the list of who is revoked. */
export const crl: Subcommand = {
  usage: '--ca FILE [--out FILE]',
  summary: 'write the list of revoked certificates (CRL) from the database',
  help: `Writes NAME-crl.pem beside the issuer's certificate, with the next number and the time of the next one. Make a
new one before that time, revoked or not: who checks CRLs refuses everybody when theirs has run out.

${issuerHelp}
      --expiry DURATION           until the next one; default 168h (a week)
  -o, --out FILE                  where it goes
      --der                       in DER instead of PEM`,
  options: {
    ...issuerOptions,
    expiry: { type: 'string' },
    out: { type: 'string', short: 'o' },
    der: { type: 'boolean' },
  },
  positionals: { min: 0, max: 0 },
  async run(_, values, context) {
    const expiry = parseDuration(text(values, 'expiry') ?? '168h');
    if (expiry < 60_000) throw new PkiError('a CRL that ends within a minute is of no use to anybody');
    const authority = await issuerFrom(values, context);
    const usage = readKeyUsage(extensionOf(readCertificate(authority.der), extensionOids.keyUsage)?.value);
    if (usage !== null && !usage.has(crlSignBit))
      throw new PkiError(`${authority.path} may not sign CRLs (keyUsage)`);
    const { issuer, database } = authority;
    if (context.now > issuer.notAfter)
      throw new PkiError(`${issuer.label} has expired; nobody would believe its CRL`);
    const format = flag(values, 'der') ? 'der' : 'pem';
    const path = text(values, 'out') ?? `${stemOf(authority.path)}-crl.${format === 'pem' ? 'pem' : 'crl'}`;
    // The whole of it under the lock: a CRL with a higher number must not be overtaken by one that knows less.
    return await database.exclusively(async () => {
      const history = await crlHistory(database);
      // Whoever waited for the lock must not date a higher number before a lower one.
      const thisUpdate = Math.max(context.now, history.lastAt ?? 0);
      const nextUpdate = thisUpdate + expiry;
      const head = {
        issuer: issuer.name,
        keyId: issuer.keyId,
        number: history.nextNumber,
        thisUpdate,
        nextUpdate,
      };
      const count = await writeCrl({ path, format }, head, revocations(database, history), issuer.key);
      await database.append({
        event: 'crl',
        at: new Date(thisUpdate).toISOString(),
        number: history.nextNumber.toString(),
        nextUpdate: new Date(nextUpdate).toISOString(),
        entries: count,
      });
      context.say(
        `wrote ${path}: number ${history.nextNumber}, ${count} revoked, the next within ${describeDuration(expiry)}`,
      );
      return 0;
    });
  },
};
