import { DerReader, tags } from '../../tls/der.ts';
import { valuesOf } from '../../tls/distinguished-name.ts';
import { readName } from '../../tls/identity-reader.ts';
import { formatIpAddress } from '../../tls/ip-address.ts';
import type { AltName } from '../alt-name.ts';
import { issuedRecord } from '../ceremony.ts';
import { reading } from '../certificate-reader.ts';
import { readHost } from '../csr-json.ts';
import { readCsr, type ReadCsr } from '../csr-reader.ts';
import { PkiError } from '../error.ts';
import { readBytes } from '../files.ts';
import { attributeOids, extensionOids } from '../oid.ts';
import { readPem, toPem } from '../pem.ts';
import { printable } from '../printable.ts';
import { signByProfile } from '../signing.ts';
import {
  issuerFrom,
  issuerHelp,
  issuerOptions,
  outputHelp,
  outputOptions,
  profileHelp,
  profileOptions,
  profilesFrom,
} from './issuer-options.ts';
import { outputStem, pathsOf, refuseExisting, sayIssued, writeMade } from './output.ts';
import { type Context, flag, list, type Subcommand, text } from './subcommand.ts';

/** The DER of the first CSR in a file, PEM or DER. */
export function csrDer(bytes: Buffer, file: string): Buffer {
  if (!bytes.includes('-----BEGIN ')) return bytes;
  const block = readPem(bytes.toString('latin1')).find(({ label }) => label.endsWith('CERTIFICATE REQUEST'));
  if (block === undefined) throw new PkiError(`${file}: there is no CSR in it`);
  return block.der;
}

/** The alternative names a CSR asks for, each held to what a request in JSON would be held to. */
function requestedNames(value: Uint8Array): AltName[] {
  return reading('subjectAltName', () => {
    const names: AltName[] = [];
    const entries = new DerReader(value).enter(tags.sequence, 'alternative names');
    while (!entries.done) {
      const content = Buffer.from(entries.next().content());
      const type = ({ 0x81: 'email', 0x82: 'dns', 0x86: 'uri', 0x87: 'ip' } as const)[entries.tag];
      const name = type === 'ip' ? formatIpAddress(content) : content.toString('latin1');
      if (type === undefined || name === null) {
        throw new PkiError('it asks for an alternative name of a kind that is not supported');
      }
      if (name === '') continue;
      if (readHost(name).type !== type) {
        throw new PkiError(`it asks for ${type}:${printable(name)}, which is no such name`);
      }
      names.push({ type, value: name });
    }
    return names;
  });
}

function altNames(csr: ReadCsr, hosts: readonly string[], context: Context): AltName[] {
  const ignored = csr.extensions.filter(({ oid }) => oid !== extensionOids.subjectAltName);
  if (ignored.length > 0) {
    context.warn(`${ignored.length} requested extension(s) left out: the profile decides, not the request`);
  }
  if (hosts.length > 0) return hosts.map(readHost);
  const san = csr.extensions.find(({ oid }) => oid === extensionOids.subjectAltName);
  return san === undefined ? [] : requestedNames(san.value);
}

/** `pki sign`: a certificate for somebody who keeps the key. */
export const sign: Subcommand = {
  usage: 'FILE.csr --ca FILE [--profile NAME]',
  summary: 'sign a request (CSR) whose key stays with whoever made it',
  help: `Checks that the request is signed with its own key and writes NAME.pem and NAME-bundle.pem. Subject and
alternative names are the request's; usages and validity come from the profile and from nowhere else.

${issuerHelp}
${profileHelp}
      --host NAME                 an alternative name in place of the request's; may come more than once
${outputHelp}`,
  options: {
    ...issuerOptions,
    ...profileOptions,
    ...outputOptions,
    host: { type: 'string', multiple: true },
  },
  positionals: { min: 1, max: 1 },
  async run([file = ''], values, context) {
    const force = flag(values, 'force');
    const csr = readCsr(csrDer(await readBytes(file, context.io.stdin), file));
    if (!csr.signatureValid) throw new PkiError(`${file}: its signature is not by its own key`);
    const profile = (await profilesFrom(values, context)).get(text(values, 'profile'));
    const stem = outputStem(text(values, 'out'), file);
    const { certificate, bundle } = pathsOf(stem);
    await refuseExisting([certificate, bundle], force);
    const names = altNames(csr, list(values, 'host'), context);
    const subject = reading('CSR', () => readName(new DerReader(csr.subject), 'subject'));
    const authority = await issuerFrom(values, context);
    const signed = signByProfile(
      {
        subject: csr.subject,
        commonNames: valuesOf(subject, attributeOids['CN']!),
        altNames: names,
        publicKey: csr.publicKey,
      },
      profile,
      authority.issuer,
      context.now,
    );
    for (const warning of signed.warnings) context.warn(warning);
    const record = issuedRecord(signed.der, text(values, 'profile') ?? 'default', context.now);
    await authority.database.append(record);
    const made = { certificate: toPem('CERTIFICATE', signed.der) };
    await writeMade(stem, made, authority.chain, force, context);
    sayIssued(signed.der, context);
    return 0;
  },
};
