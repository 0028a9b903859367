import type { Parsed, ValueType } from './annotation.ts';

/** OpenSSL's names of suites with forward secrecy that its runtimes have, and need no parameters. */
const suite =
  /^(?:ECDHE-(?:ECDSA|RSA)-(?:AES(?:128|256)-GCM-SHA(?:256|384)|CHACHA20-POLY1305|AES128-SHA(?:256)?|AES256-SHA(?:384)?))$/;
const mismatched = /AES128-GCM-SHA384|AES256-GCM-SHA256/;

/** A list of OpenSSL's, without those of its suites and words that we do not take: one has to be left. */
export const cipherSuites: ValueType<readonly string[]> = {
  name: 'cipher suites',
  parse(written): Parsed<readonly string[]> {
    const names = written.split(':').filter((name) => suite.test(name) && !mismatched.test(name));
    return names.length === 0
      ? { problem: "has no cipher suite with forward secrecy by OpenSSL's name" }
      : { value: Object.freeze([...new Set(names)]) };
  },
};
