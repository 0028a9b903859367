import { tlv } from './der.ts';
import { PkiError } from './error.ts';

/** Milliseconds of one day. */
export const day = 86_400_000;

/** The same moment without its fraction of a second: RFC 5280 §4.1.2.5 allows none. */
export function wholeSeconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000) * 1000;
}

/** DER of a Time: UTCTime from 1950 to 2049, GeneralizedTime outside (RFC 5280 §4.1.2.5). Years 0 to 9999. */
export function encodeTime(milliseconds: number): Buffer {
  const date = new Date(wholeSeconds(milliseconds));
  const year = date.getUTCFullYear();
  if (!(year >= 0 && year <= 9999)) throw new PkiError(`a certificate cannot carry the date ${milliseconds}`);
  const text = date.toISOString().replaceAll(/[-:T]|\.000/g, '');
  return year >= 1950 && year < 2050
    ? tlv(0x17, Buffer.from(text.slice(2), 'latin1'))
    : tlv(0x18, Buffer.from(text, 'latin1'));
}
