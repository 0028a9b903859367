import type { KeyObject } from 'node:crypto';
import { RE2JS } from 're2js';
import type { AltName } from './alt-name.ts';
import {
  type CertificateRequest,
  issueCertificate,
  type Issuer,
  type SignedCertificate,
} from './authority.ts';
import { PkiError } from './error.ts';
import type { Profile } from './profile.ts';
import { wholeSeconds } from './time.ts';

/** An issuer together with the limits its own certificate sets. */
export interface BoundedIssuer extends Issuer {
  readonly notBefore: number;
  readonly notAfter: number;
  /** How many CAs may stand below it; undefined: any number. */
  readonly pathLen?: number;
  /** For the messages. */
  readonly label: string;
}

/** Who the certificate is for. */
export interface Applicant {
  /** DER. */
  readonly subject: Uint8Array;
  /** For the name allow list of a profile. */
  readonly commonNames: readonly string[];
  readonly altNames: readonly AltName[];
  readonly publicKey: KeyObject;
}

export interface SigningResult extends SignedCertificate {
  readonly notBefore: number;
  readonly notAfter: number;
  readonly warnings: readonly string[];
}

interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

const text = (milliseconds: number): string => new Date(milliseconds).toISOString().replace('.000Z', 'Z');

/** From when until when a profile makes a certificate valid: cfssl starts at the full minute, a little back. */
export function profileValidity(profile: Profile, now: number): Validity {
  const minute = Math.round(now / 60_000) * 60_000;
  const notBefore = wholeSeconds(profile.notBefore ?? minute - profile.backdate);
  return { notBefore, notAfter: wholeSeconds(profile.notAfter ?? notBefore + profile.expiry) };
}

function clamp(validity: Validity, issuer: BoundedIssuer, now: number, warnings: string[]): Validity {
  if (now > issuer.notAfter) {
    throw new PkiError(`${issuer.label} expired on ${text(issuer.notAfter)} and can issue nothing more`);
  }
  if (now < issuer.notBefore)
    throw new PkiError(`${issuer.label} is not valid before ${text(issuer.notBefore)}`);
  const notBefore = Math.max(validity.notBefore, issuer.notBefore);
  const notAfter = Math.min(validity.notAfter, issuer.notAfter);
  // The start is moved without a word: the minutes of backdating before a new CA's own start are nobody's wish.
  if (notAfter < validity.notAfter) {
    warnings.push(`valid until ${text(notAfter)} only: ${issuer.label} itself ends then`);
  }
  if (notAfter <= notBefore) throw new PkiError('it would end before it begins');
  return { notBefore, notAfter };
}

function checkPathLen(profile: Profile, issuer: BoundedIssuer): Profile['ca'] {
  if (profile.ca === undefined || issuer.pathLen === undefined) return profile.ca;
  if (issuer.pathLen === 0) {
    throw new PkiError(`${issuer.label} has path length 0: no CA may stand below it`);
  }
  const pathLen = Math.min(profile.ca.pathLen ?? issuer.pathLen - 1, issuer.pathLen - 1);
  if (profile.ca.pathLen !== undefined && profile.ca.pathLen > pathLen) {
    throw new PkiError(
      `path length ${profile.ca.pathLen} is more than ${issuer.label} allows below it (${issuer.pathLen - 1})`,
    );
  }
  return { pathLen };
}

function checkNames(profile: Profile, applicant: Applicant): void {
  if (profile.nameAllowList === undefined) return;
  const pattern = RE2JS.compile(profile.nameAllowList);
  const dns = applicant.altNames.flatMap((name) => (name.type === 'dns' ? [String(name.value)] : []));
  for (const name of [...applicant.commonNames, ...dns]) {
    if (!pattern.matcher(name).find()) {
      throw new PkiError(`${JSON.stringify(name)} is not allowed by name_whitelist of the profile`);
    }
  }
}

/** What the proxy's own handshakes would refuse must not be signed in the first place. */
function checkKey(key: KeyObject): void {
  const bits = key.asymmetricKeyDetails?.modulusLength;
  const curve = key.asymmetricKeyDetails?.namedCurve;
  const type = key.asymmetricKeyType;
  const strong =
    type === 'ed25519' ||
    (type === 'rsa' && bits !== undefined && bits >= 2048 && bits <= 16_384) ||
    (type === 'ec' && ['prime256v1', 'secp384r1', 'secp521r1'].includes(curve ?? ''));
  if (!strong)
    throw new PkiError(`a key of ${type ?? 'no known type'} ${bits ?? curve ?? ''} is not signed for`);
}

/** Signs for `applicant` what `profile` allows, within what the issuer itself may. Throws PkiError at a breach. */
export function signByProfile(
  applicant: Applicant,
  profile: Profile,
  issuer: BoundedIssuer,
  now: number,
): SigningResult {
  const warnings: string[] = [];
  checkKey(applicant.publicKey);
  checkNames(profile, applicant);
  const ca = checkPathLen(profile, issuer);
  const validity = clamp(profileValidity(profile, now), issuer, now, warnings);
  if (ca !== undefined && !profile.keyUsages.includes('cert sign')) {
    throw new PkiError('a profile with ca_constraint needs the usage "cert sign"');
  }
  let { keyUsages } = profile;
  if (applicant.publicKey.asymmetricKeyType !== 'rsa' && keyUsages.includes('key encipherment')) {
    if (profile.builtIn === true) keyUsages = keyUsages.filter((usage) => usage !== 'key encipherment');
    else
      warnings.push(
        '"key encipherment" is for RSA keys alone (RFC 8813); it is set since the profile asks for it',
      );
  }
  const request: CertificateRequest = {
    subject: applicant.subject,
    publicKey: applicant.publicKey,
    keyUsages,
    purposes: profile.purposes,
    altNames: applicant.altNames,
    issuerUrls: profile.issuerUrls,
    ...validity,
    ...(ca === undefined ? {} : { ca }),
    ...(profile.crlUrl === undefined ? {} : { crlUrl: profile.crlUrl }),
    ...(profile.ocspUrl === undefined ? {} : { ocspUrl: profile.ocspUrl }),
  };
  return { ...issueCertificate(request, issuer), ...validity, warnings };
}
