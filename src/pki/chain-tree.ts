import type { X509Certificate } from 'node:crypto';
import { type CertificateParts, parseX509, readCertificate } from './certificate-reader.ts';
import { issuerKeyIdOf, nameText, subjectKeyIdOf } from './describe.ts';

/** Who issued whom among some certificates. Indexes are positions in the list given. */
export interface ChainTree {
  /** For each certificate its issuer among them, itself when self-signed, null when it is not there. */
  readonly parents: readonly (number | null)[];
  /** RFC 2253 names of issuers that are not there, each once, with whom they issued. */
  readonly missing: readonly { readonly issuer: string; readonly issued: readonly string[] }[];
}

/** Signatures that are checked at most; hostile bundles give every certificate the same name. */
const maxChecks = 20_000;

interface Link {
  readonly parts: CertificateParts;
  readonly certificate: X509Certificate;
  readonly subjectKeyId: string | null;
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function signedBy(child: Link, parent: Link): boolean {
  try {
    return child.certificate.verify(parent.certificate.publicKey);
  } catch {
    return false;
  }
}

function linkOf(der: Uint8Array): Link {
  const parts = readCertificate(der);
  return { parts, certificate: parseX509(der, 'chain'), subjectKeyId: subjectKeyIdOf(parts) };
}

function append<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

/** Finds each certificate's issuer by name, key identifier and signature. */
export function chainTree(ders: readonly Uint8Array[]): ChainTree {
  const links = ders.map(linkOf);
  const bySubject = new Map<string, number[]>();
  for (const [index, { parts }] of links.entries()) append(bySubject, hexOf(parts.subject), index);
  let checks = 0;
  const issued = (parent: number, child: number, wanted: string | null): boolean => {
    const offered = links[parent]!.subjectKeyId;
    if (wanted !== null && offered !== null && wanted !== offered) return false;
    return ++checks <= maxChecks && signedBy(links[child]!, links[parent]!);
  };
  const parents = links.map(({ parts }, index): number | null => {
    const wanted = issuerKeyIdOf(parts);
    const issuerName = hexOf(parts.issuer);
    // Itself first: a self-signed certificate has no other issuer even where a copy of it is there.
    if (issuerName === hexOf(parts.subject) && issued(index, index, wanted)) return index;
    return (
      bySubject
        .get(issuerName)
        ?.find((candidate) => candidate !== index && issued(candidate, index, wanted)) ?? null
    );
  });
  const missing = new Map<string, string[]>();
  for (const [index, parent] of parents.entries()) {
    const { parts } = links[index]!;
    if (parent === null) append(missing, nameText(parts.issuer), nameText(parts.subject));
  }
  return { parents, missing: [...missing].map(([issuer, issued]) => ({ issuer, issued })) };
}

/**
 * The tree drawn line by line, `labels` at its nodes: issuers above what they issued. Certificates that issued each
 * other in a ring are drawn from the first of them. Certificates that hang under nothing stand at the left.
 */
export function drawTree(parents: readonly (number | null)[], labels: readonly string[]): string[] {
  const children = new Map<number, number[]>();
  const roots: number[] = [];
  for (const [index, parent] of parents.entries()) {
    if (parent === null || parent === index) roots.push(index);
    else append(children, parent, index);
  }
  const lines: string[] = [];
  const drawn = new Set<number>();
  const drawFrom = (root: number): void => {
    const stack: { readonly index: number; readonly indent: string; readonly last: boolean | null }[] = [
      { index: root, indent: '', last: null },
    ];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      const { index, indent, last } = node;
      if (drawn.has(index)) continue;
      drawn.add(index);
      lines.push(`${indent}${last === null ? '' : last ? '└─ ' : '├─ '}${labels[index]!}`);
      const below = last === null ? indent : `${indent}${last ? '   ' : '│  '}`;
      const own = children.get(index) ?? [];
      for (const [position, child] of [...own].reverse().entries()) {
        stack.push({ index: child, indent: below.slice(0, 200), last: position === 0 });
      }
    }
  };
  for (const root of roots) drawFrom(root);
  for (const index of parents.keys()) if (!drawn.has(index)) drawFrom(index);
  return lines;
}
