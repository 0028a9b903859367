import { RE2JS } from 're2js';
import { parseDuration } from './duration.ts';
import { type KeyUsage, keyUsageBits } from './extension.ts';
import type { JsonValue } from './json-file.ts';
import { purposeOids } from './oid.ts';
import { messageOf, PkiError } from './error.ts';

/** One signing profile, in cfssl's terms. Times in milliseconds. */
export interface Profile {
  readonly keyUsages: readonly KeyUsage[];
  /** OIDs. */
  readonly purposes: readonly string[];
  readonly expiry: number;
  readonly backdate: number;
  /** Fixed dates, which win over expiry and backdate. */
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly ca?: { readonly pathLen?: number };
  readonly crlUrl?: string;
  readonly ocspUrl?: string;
  readonly issuerUrls: readonly string[];
  /** A linear-time regular expression that the CN and every DNS name must match (cfssl's name_whitelist). */
  readonly nameAllowList?: string;
  /** One of ours: usages that the key cannot have are left out without a word. */
  readonly builtIn?: true;
}

export interface ProfileFile {
  /** The profile of that name, or `default` without one. Throws PkiError naming what there is. */
  get(name: string | undefined): Profile;
  readonly warnings: readonly string[];
}

const hour = 3_600_000;
const year = 8760 * hour;
/** cfssl's: a client whose clock is a little behind may use the certificate at once. */
const backdate = 5 * 60_000;

function builtIn(usages: readonly KeyUsage[], purposes: readonly string[], expiry = year): Profile {
  return {
    keyUsages: usages,
    purposes: purposes.map((name) => purposeOids[name]!),
    expiry,
    backdate,
    issuerUrls: [],
    builtIn: true,
  };
}

const signing: readonly KeyUsage[] = ['digital signature', 'key encipherment'];

/** What `--profile` offers where no profile file is given. */
export const builtInProfiles: Readonly<Record<string, Profile>> = Object.freeze({
  default: builtIn(signing, ['server auth', 'client auth']),
  client: builtIn(signing, ['client auth']),
  server: builtIn(signing, ['server auth']),
  peer: builtIn(signing, ['server auth', 'client auth']),
  intermediate: { ...builtIn(['cert sign', 'crl sign'], [], 5 * year), ca: { pathLen: 0 } },
});

const usageNames = new Map<string, KeyUsage>([
  ...keyUsageBits.map((usage) => [usage, usage] as const),
  ['signing', 'digital signature'],
  // As cfssl's own table spells it.
  ['content committment', 'content commitment'],
]);

function readUsages(list: JsonValue, warnings: string[]): Pick<Profile, 'keyUsages' | 'purposes'> {
  const keyUsages = new Set<KeyUsage>();
  const purposes = new Set<string>();
  for (const item of list.items()) {
    const name = item.text();
    const usage = usageNames.get(name);
    const purpose = Object.hasOwn(purposeOids, name) ? purposeOids[name] : undefined;
    if (usage !== undefined) keyUsages.add(usage);
    else if (purpose !== undefined) purposes.add(purpose);
    else warnings.push(`usage ${JSON.stringify(name)} is not known, left out`);
  }
  if (keyUsages.size + purposes.size === 0) {
    list.fail(`needs a usage; there are ${[...usageNames.keys(), ...Object.keys(purposeOids)].join(', ')}`);
  }
  return { keyUsages: [...keyUsages], purposes: [...purposes] };
}

/** A pattern is compiled here once so that a broken one is told with its place. */
function readPattern(value: JsonValue): string {
  const pattern = value.text();
  try {
    RE2JS.compile(pattern);
  } catch (error) {
    value.fail(`is no regular expression: ${messageOf(error)}`);
  }
  return pattern;
}

function readDate(value: JsonValue): number {
  const date = Date.parse(value.text());
  return Number.isNaN(date) ? value.fail('must be a date such as "2027-01-31T00:00:00Z"') : date;
}

type Draft = { -readonly [Field in keyof Profile]: Profile[Field] };

function readConstraint(constraint: JsonValue, profile: Draft): void {
  if (constraint.member('is_ca')?.flag() !== true) return;
  const limit = constraint.member('max_path_len')?.count() ?? 0;
  const zero = constraint.member('max_path_len_zero')?.flag() ?? false;
  // Go cannot tell a 0 from nothing: a path length of 0 counts only where max_path_len_zero says it is meant.
  profile.ca = limit > 0 || zero ? { pathLen: limit } : {};
}

const duration = (value: JsonValue): number => value.attempt(() => parseDuration(value.text()));

const fields: Readonly<Record<string, (value: JsonValue, profile: Draft, warnings: string[]) => void>> = {
  usages: (value, profile, warnings) => Object.assign(profile, readUsages(value, warnings)),
  expiry: (value, profile) => (profile.expiry = duration(value)),
  backdate: (value, profile) => (profile.backdate = duration(value)),
  not_before: (value, profile) => (profile.notBefore = readDate(value)),
  not_after: (value, profile) => (profile.notAfter = readDate(value)),
  ca_constraint: (value, profile) => readConstraint(value, profile),
  is_ca: (value, profile) => {
    if (value.flag()) profile.ca ??= {};
  },
  crl_url: (value, profile) => (profile.crlUrl = value.text()),
  ocsp_url: (value, profile) => (profile.ocspUrl = value.text()),
  issuer_urls: (value, profile) => (profile.issuerUrls = value.items().map((item) => item.text())),
  name_whitelist: (value, profile) => (profile.nameAllowList = readPattern(value)),
};

/** A profile that asks for what we would not do must not be taken for one that does not ask. */
const refusedFields = new Set([
  'remote',
  'copy_extensions',
  'allowed_extensions',
  'policies',
  'prepend_cn_to_san',
  'provider',
]);

function readProfile(json: JsonValue, fallback: Profile, warnings: string[]): Profile {
  const profile: Draft = { ...fallback };
  for (const [field, value] of json.members()) {
    const name = field.toLowerCase();
    if (value.value === null || value.value === '') continue;
    if (Object.hasOwn(fields, name)) fields[name]!(value, profile, warnings);
    else if (refusedFields.has(name) && value.value !== false) value.fail('is not supported');
    else warnings.push(`${field} of a profile is not used`);
  }
  if (profile.expiry <= 0) json.fail('needs an expiry');
  return profile;
}

function chooser(profiles: ReadonlyMap<string, Profile>): ProfileFile['get'] {
  return (name = 'default') => {
    const profile = profiles.get(name);
    if (profile !== undefined) return profile;
    throw new PkiError(
      `there is no profile ${JSON.stringify(name)}; there are ${[...profiles.keys()].join(', ')}`,
    );
  };
}

/** The built-in profiles alone. */
export const noProfileFile: ProfileFile = {
  get: chooser(new Map(Object.entries(builtInProfiles))),
  warnings: [],
};

/** Reads cfssl's signing configuration: `signing.default` and `signing.profiles`. */
export function readProfiles(json: JsonValue): ProfileFile {
  const warnings: string[] = [];
  const signingPart = json.member('signing') ?? json.fail('needs a "signing" object');
  const { builtIn: _, ...base } = builtInProfiles['default']!;
  const defaultJson = signingPart.member('default');
  const fallback = defaultJson === undefined ? base : readProfile(defaultJson, base, warnings);
  const profiles = new Map<string, Profile>([['default', fallback]]);
  // As in cfssl, a profile states its own usages and CA constraint; expiry and URLs fall back to the default one.
  for (const [name, value] of signingPart.member('profiles')?.members() ?? []) {
    if (value.member('usages') === undefined) value.fail('needs "usages"');
    const empty: Profile = {
      keyUsages: [],
      purposes: [],
      expiry: fallback.expiry,
      backdate,
      issuerUrls: fallback.issuerUrls,
      ...(fallback.crlUrl === undefined ? {} : { crlUrl: fallback.crlUrl }),
      ...(fallback.ocspUrl === undefined ? {} : { ocspUrl: fallback.ocspUrl }),
    };
    profiles.set(name, readProfile(value, empty, warnings));
  }
  return { get: chooser(profiles), warnings };
}
