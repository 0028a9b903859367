import { isLabel, isSubdomain } from '../read-meta.ts';
import { type Address, addressOf } from './address.ts';

/** The flags about what is said to the cluster, for `parseArgs`. Named after ingress-nginx's where it has them. */
export const speakerFlags = {
  'publish-service': { type: 'string' },
  'publish-status-address': { type: 'string' },
  'update-status': { type: 'string' },
  'update-status-on-shutdown': { type: 'string' },
  'election-id': { type: 'string' },
  'dry-run': { type: 'boolean' },
} as const;

export const speakerUsage = `    --publish-service NS/NAME         the Service whose addresses become the status of our Ingresses
    --publish-status-address A,B      addresses that do, IP addresses or names, in its place
    --update-status=false             no status is written
    --update-status-on-shutdown=false the last replica leaves it as it is; otherwise it takes our addresses away
    --election-id NAME                the Lease by which replicas agree on who writes (mtls-ingress-leader)
    --dry-run                         serve, but write nothing to the cluster: what would be written is logged
`;

export type SpeakerFlags = {
  readonly [Name in Exclude<keyof typeof speakerFlags, 'dry-run'>]?: string;
} & { readonly 'dry-run'?: boolean };

export interface SpeakerSettings {
  /** Name of the Lease. */
  readonly electionId: string;
  /** Status is written. */
  readonly updatesStatus: boolean;
  readonly clearsStatus: boolean;
  /** `namespace/name`; not together with addresses. */
  readonly publishedService: string | null;
  readonly publishedAddresses: readonly Address[] | null;
  readonly isDry: boolean;
}

/** Addresses that may be given. */
const maxAddresses = 100;

/** Reads the flags; a message about the first that makes no sense. */
export function readSpeakerFlags(flags: SpeakerFlags): SpeakerSettings | { readonly fault: string } {
  const { 'publish-service': service, 'publish-status-address': given } = flags;
  if (service !== undefined && given !== undefined)
    return { fault: 'give --publish-service or --publish-status-address, not both' };
  if (service !== undefined && !isServiceName(service))
    return { fault: `--publish-service ${service} is not NAMESPACE/NAME` };
  const addresses = given?.split(',').map((text) => addressOf(text.trim()));
  if (addresses?.some((address) => address === null) === true || (addresses?.length ?? 0) > maxAddresses)
    return { fault: `--publish-status-address ${given} is no list of IP addresses and names` };
  const electionId = flags['election-id'] ?? 'mtls-ingress-leader';
  if (!isSubdomain(electionId)) return { fault: `--election-id ${electionId} is no name of a Lease` };
  const updatesStatus = yes(flags['update-status']);
  const clearsStatus = yes(flags['update-status-on-shutdown']);
  if (updatesStatus === null) return { fault: '--update-status wants true or false' };
  if (clearsStatus === null) return { fault: '--update-status-on-shutdown wants true or false' };
  return {
    electionId,
    updatesStatus,
    clearsStatus,
    publishedService: updatesStatus ? (service ?? null) : null,
    publishedAddresses: addresses?.filter((address) => address !== null) ?? null,
    isDry: flags['dry-run'] ?? false,
  };
}

function yes(text: string | undefined): boolean | null {
  if (text === undefined || text === 'true') return true;
  return text === 'false' ? false : null;
}

function isServiceName(text: string): boolean {
  const [namespace = '', name = '', ...rest] = text.split('/');
  return rest.length === 0 && isLabel(namespace) && isLabel(name);
}
