import type { VerificationReason } from '../snapshot/reason.ts';

/** One way in which OpenSSL can refuse a certificate. */
export interface VerificationError {
  /** OpenSSL's X509_V_ERR number. */
  readonly number: number;
  readonly reason: VerificationReason;
  /** OpenSSL's words (X509_verify_cert_error_string of 3.x), which nginx puts behind `FAILED:`. */
  readonly text: string;
}

/**
 * Every X509_V_ERR code of OpenSSL 3: its number, its name without the prefix, our reason, its text. Node names
 * those up to 28 and two more in `authorizationError`, and says UNSPECIFIED for the rest; its verifyError()
 * still carries the text of those.
 *
 * `crl_missing` is said wherever no CRL could be used: none there, not yet valid, wrongly signed, out of scope.
 * `untrusted` is said wherever no chain led to the trust store, a wrong signature included: that is what a
 * CA of the same name with another key looks like.
 */
const table: readonly (readonly [number, string, VerificationReason, string])[] = [
  [1, 'UNSPECIFIED', 'other', 'unspecified certificate verification error'],
  [2, 'UNABLE_TO_GET_ISSUER_CERT', 'untrusted', 'unable to get issuer certificate'],
  [3, 'UNABLE_TO_GET_CRL', 'crl_missing', 'unable to get certificate CRL'],
  [4, 'UNABLE_TO_DECRYPT_CERT_SIGNATURE', 'untrusted', "unable to decrypt certificate's signature"],
  [5, 'UNABLE_TO_DECRYPT_CRL_SIGNATURE', 'crl_missing', "unable to decrypt CRL's signature"],
  [6, 'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY', 'malformed_cert', 'unable to decode issuer public key'],
  [7, 'CERT_SIGNATURE_FAILURE', 'untrusted', 'certificate signature failure'],
  [8, 'CRL_SIGNATURE_FAILURE', 'crl_missing', 'CRL signature failure'],
  [9, 'CERT_NOT_YET_VALID', 'not_yet_valid', 'certificate is not yet valid'],
  [10, 'CERT_HAS_EXPIRED', 'expired', 'certificate has expired'],
  [11, 'CRL_NOT_YET_VALID', 'crl_missing', 'CRL is not yet valid'],
  [12, 'CRL_HAS_EXPIRED', 'crl_expired', 'CRL has expired'],
  [13, 'ERROR_IN_CERT_NOT_BEFORE_FIELD', 'malformed_cert', "format error in certificate's notBefore field"],
  [14, 'ERROR_IN_CERT_NOT_AFTER_FIELD', 'malformed_cert', "format error in certificate's notAfter field"],
  [15, 'ERROR_IN_CRL_LAST_UPDATE_FIELD', 'crl_missing', "format error in CRL's lastUpdate field"],
  [16, 'ERROR_IN_CRL_NEXT_UPDATE_FIELD', 'crl_missing', "format error in CRL's nextUpdate field"],
  [17, 'OUT_OF_MEM', 'other', 'out of memory'],
  [18, 'DEPTH_ZERO_SELF_SIGNED_CERT', 'self_signed', 'self-signed certificate'],
  [19, 'SELF_SIGNED_CERT_IN_CHAIN', 'self_signed', 'self-signed certificate in certificate chain'],
  [20, 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'untrusted', 'unable to get local issuer certificate'],
  [21, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'untrusted', 'unable to verify the first certificate'],
  [22, 'CERT_CHAIN_TOO_LONG', 'chain_too_long', 'certificate chain too long'],
  [23, 'CERT_REVOKED', 'revoked', 'certificate revoked'],
  [24, 'NO_ISSUER_PUBLIC_KEY', 'untrusted', "issuer certificate doesn't have a public key"],
  [25, 'PATH_LENGTH_EXCEEDED', 'path_len', 'path length constraint exceeded'],
  [26, 'INVALID_PURPOSE', 'bad_purpose', 'unsuitable certificate purpose'],
  [27, 'CERT_UNTRUSTED', 'untrusted', 'certificate not trusted'],
  [28, 'CERT_REJECTED', 'untrusted', 'certificate rejected'],
  [29, 'SUBJECT_ISSUER_MISMATCH', 'other', 'subject issuer mismatch'],
  [30, 'AKID_SKID_MISMATCH', 'other', 'authority and subject key identifier mismatch'],
  [31, 'AKID_ISSUER_SERIAL_MISMATCH', 'other', 'authority and issuer serial number mismatch'],
  [32, 'KEYUSAGE_NO_CERTSIGN', 'bad_purpose', 'key usage does not include certificate signing'],
  [33, 'UNABLE_TO_GET_CRL_ISSUER', 'crl_missing', 'unable to get CRL issuer certificate'],
  [34, 'UNHANDLED_CRITICAL_EXTENSION', 'other', 'unhandled critical extension'],
  [35, 'KEYUSAGE_NO_CRL_SIGN', 'crl_missing', 'key usage does not include CRL signing'],
  [36, 'UNHANDLED_CRITICAL_CRL_EXTENSION', 'crl_missing', 'unhandled critical CRL extension'],
  [37, 'INVALID_NON_CA', 'bad_purpose', 'invalid non-CA certificate (has CA markings)'],
  [38, 'PROXY_PATH_LENGTH_EXCEEDED', 'other', 'proxy path length constraint exceeded'],
  [39, 'KEYUSAGE_NO_DIGITAL_SIGNATURE', 'bad_purpose', 'key usage does not include digital signature'],
  [
    40,
    'PROXY_CERTIFICATES_NOT_ALLOWED',
    'other',
    'proxy certificates not allowed, please set the appropriate flag',
  ],
  [41, 'INVALID_EXTENSION', 'malformed_cert', 'invalid or inconsistent certificate extension'],
  [42, 'INVALID_POLICY_EXTENSION', 'malformed_cert', 'invalid or inconsistent certificate policy extension'],
  [43, 'NO_EXPLICIT_POLICY', 'other', 'no explicit policy'],
  [44, 'DIFFERENT_CRL_SCOPE', 'crl_missing', 'different CRL scope'],
  [45, 'UNSUPPORTED_EXTENSION_FEATURE', 'other', 'unsupported extension feature'],
  [46, 'UNNESTED_RESOURCE', 'other', "RFC 3779 resource not subset of parent's resources"],
  [47, 'PERMITTED_VIOLATION', 'name_constraint', 'permitted subtree violation'],
  [48, 'EXCLUDED_VIOLATION', 'name_constraint', 'excluded subtree violation'],
  [49, 'SUBTREE_MINMAX', 'name_constraint', 'name constraints minimum and maximum not supported'],
  [50, 'APPLICATION_VERIFICATION', 'other', 'application verification failure'],
  [51, 'UNSUPPORTED_CONSTRAINT_TYPE', 'name_constraint', 'unsupported name constraint type'],
  [52, 'UNSUPPORTED_CONSTRAINT_SYNTAX', 'name_constraint', 'unsupported or invalid name constraint syntax'],
  [53, 'UNSUPPORTED_NAME_SYNTAX', 'name_constraint', 'unsupported or invalid name syntax'],
  [54, 'CRL_PATH_VALIDATION_ERROR', 'crl_missing', 'CRL path validation error'],
  [55, 'PATH_LOOP', 'untrusted', 'path loop'],
  [56, 'SUITE_B_INVALID_VERSION', 'other', 'Suite B: certificate version invalid'],
  [57, 'SUITE_B_INVALID_ALGORITHM', 'other', 'Suite B: invalid public key algorithm'],
  [58, 'SUITE_B_INVALID_CURVE', 'other', 'Suite B: invalid ECC curve'],
  [59, 'SUITE_B_INVALID_SIGNATURE_ALGORITHM', 'other', 'Suite B: invalid signature algorithm'],
  [60, 'SUITE_B_LOS_NOT_ALLOWED', 'other', 'Suite B: curve not allowed for this LOS'],
  [61, 'SUITE_B_CANNOT_SIGN_P_384_WITH_P_256', 'other', 'Suite B: cannot sign P-384 with P-256'],
  [62, 'HOSTNAME_MISMATCH', 'other', 'hostname mismatch'],
  [63, 'EMAIL_MISMATCH', 'other', 'email address mismatch'],
  [64, 'IP_ADDRESS_MISMATCH', 'other', 'IP address mismatch'],
  [65, 'DANE_NO_MATCH', 'other', 'no matching DANE TLSA records'],
  [66, 'EE_KEY_TOO_SMALL', 'weak_key', 'EE certificate key too weak'],
  [67, 'CA_KEY_TOO_SMALL', 'weak_key', 'CA certificate key too weak'],
  [68, 'CA_MD_TOO_WEAK', 'weak_key', 'CA signature digest algorithm too weak'],
  [69, 'INVALID_CALL', 'other', 'invalid certificate verification context'],
  [70, 'STORE_LOOKUP', 'other', 'issuer certificate lookup error'],
  [71, 'NO_VALID_SCTS', 'other', 'Certificate Transparency required, but no valid SCTs found'],
  [72, 'PROXY_SUBJECT_NAME_VIOLATION', 'other', 'proxy subject name violation'],
  [73, 'OCSP_VERIFY_NEEDED', 'other', 'OCSP verification needed'],
  [74, 'OCSP_VERIFY_FAILED', 'other', 'OCSP verification failed'],
  [75, 'OCSP_CERT_UNKNOWN', 'other', 'OCSP unknown cert'],
  [76, 'UNSUPPORTED_SIGNATURE_ALGORITHM', 'malformed_cert', 'Cannot find certificate signature algorithm'],
  [
    77,
    'SIGNATURE_ALGORITHM_MISMATCH',
    'other',
    'subject signature algorithm and issuer public key algorithm mismatch',
  ],
  [
    78,
    'SIGNATURE_ALGORITHM_INCONSISTENCY',
    'malformed_cert',
    'cert info signature and signature algorithm mismatch',
  ],
  [79, 'INVALID_CA', 'bad_purpose', 'invalid CA certificate'],
  [80, 'PATHLEN_INVALID_FOR_NON_CA', 'malformed_cert', 'Path length invalid for non-CA cert'],
  [
    81,
    'PATHLEN_WITHOUT_KU_KEY_CERT_SIGN',
    'malformed_cert',
    'Path length given without key usage keyCertSign',
  ],
  [
    82,
    'KU_KEY_CERT_SIGN_INVALID_FOR_NON_CA',
    'malformed_cert',
    'Key usage keyCertSign invalid for non-CA cert',
  ],
  [83, 'ISSUER_NAME_EMPTY', 'malformed_cert', 'Issuer name empty'],
  [84, 'SUBJECT_NAME_EMPTY', 'malformed_cert', 'Subject name empty'],
  [85, 'MISSING_AUTHORITY_KEY_IDENTIFIER', 'malformed_cert', 'Missing Authority Key Identifier'],
  [86, 'MISSING_SUBJECT_KEY_IDENTIFIER', 'malformed_cert', 'Missing Subject Key Identifier'],
  [87, 'EMPTY_SUBJECT_ALT_NAME', 'malformed_cert', 'Empty Subject Alternative Name extension'],
  [
    88,
    'EMPTY_SUBJECT_SAN_NOT_CRITICAL',
    'malformed_cert',
    'Subject empty and Subject Alt Name extension not critical',
  ],
  [89, 'CA_BCONS_NOT_CRITICAL', 'malformed_cert', 'Basic Constraints of CA cert not marked critical'],
  [90, 'AUTHORITY_KEY_IDENTIFIER_CRITICAL', 'malformed_cert', 'Authority Key Identifier marked critical'],
  [91, 'SUBJECT_KEY_IDENTIFIER_CRITICAL', 'malformed_cert', 'Subject Key Identifier marked critical'],
  [92, 'CA_CERT_MISSING_KEY_USAGE', 'malformed_cert', 'CA cert does not include key usage extension'],
  [93, 'EXTENSIONS_REQUIRE_VERSION_3', 'malformed_cert', 'Using cert extension requires at least X509v3'],
  [94, 'EC_KEY_EXPLICIT_PARAMS', 'malformed_cert', 'Certificate public key has explicit ECC parameters'],
];

const byCode = new Map<string, VerificationError>();
const byText = new Map<string, VerificationError>();
for (const [number, code, reason, text] of table) {
  const error: VerificationError = Object.freeze({ number, reason, text });
  byCode.set(code, error);
  byText.set(text, error);
}

/** The error of a code as Node's `authorizationError` spells it (`CERT_HAS_EXPIRED`); undefined if unknown. */
export const verificationErrorOf = (code: string): VerificationError | undefined => byCode.get(code);

/** The error with this text, as Node's `verifyError().message` has it; undefined if unknown. */
export const verificationErrorSaying = (text: string): VerificationError | undefined => byText.get(text);
