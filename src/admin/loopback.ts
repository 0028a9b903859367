import { isIP, type AddressInfo } from 'node:net';

/** 127.0.0.0/8, ::1, and the former written as IPv6. `address` is a literal, as the system gives it. */
export function isLoopback(address: string): boolean {
  const plain = address.startsWith('::ffff:') ? address.slice(7) : address;
  return plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'));
}

/**
 * Whether a request's Host headers name this machine and nothing else: exactly one, `localhost`, `127.0.0.1`,
 * `[::1]` or the very address listened on, with any port (a forwarded one is another).
 */
export function namesLoopback(hosts: readonly string[], bound: AddressInfo | null): boolean {
  const [host] = hosts;
  if (host === undefined || hosts.length !== 1) return false;
  const match = /^(\[[0-9a-f:.]+\]|[0-9a-z.-]+)(?::[0-9]{1,5})?$/i.exec(host);
  const name = match?.[1]?.toLowerCase();
  if (name === undefined) return false;
  if (name === 'localhost' || name === '127.0.0.1' || name === '[::1]') return true;
  return bound !== null && name === (bound.family === 'IPv6' ? `[${bound.address}]` : bound.address);
}
