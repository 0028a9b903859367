/**
 * The oldest Node that this program serves with. Below it, a TLS 1.3 session resumed without a certificate
 * reports `authorized`, sessions cross server names, and headers past the limit are hidden instead of refused
 * (CVE-2025-23419's like, nodejs/node#35317, CVE-2026-48928, CVE-2026-58044).
 */
const floors: Readonly<Record<number, number>> = { 24: 21, 26: 10 };
const newest = 26;

/** Null for a runtime that is safe to serve with, otherwise one line that says which is. */
export function refuseRuntime(version: string): string | null {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const floor = floors[major];
  if (major > newest || (floor !== undefined && minor >= floor)) return null;
  return `mtls-ingress needs Node 26.10 or later (24.21 is the floor), this is ${version}`;
}
