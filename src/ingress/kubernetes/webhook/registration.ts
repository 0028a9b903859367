import { ApiError } from '../api-error.ts';
import type { Api } from '../dry-api.ts';
import { pathOf, resources } from '../resource.ts';

/** What the API server is to know of us. */
export interface Address {
  /** PEM. */
  readonly bundle: readonly string[];
  /** Path of the URL, with a slash in front. */
  readonly path: string;
}

/** A ValidatingWebhookConfiguration as it was read. */
export interface Registration {
  readonly resourceVersion: string;
  readonly webhooks: readonly Readonly<Record<string, unknown>>[];
}

type Client = Pick<Api, 'get' | 'patch'>;

/** Null where there is none of this name. Rejects with an ApiError. */
export async function readRegistration(client: Client, name: string): Promise<Registration | null> {
  const object = await getOrNull(client, pathOf(resources.webhooks[0], null, name));
  const { metadata, webhooks } = (object ?? {}) as Readonly<Record<string, unknown>>;
  const { resourceVersion } = (metadata ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof resourceVersion !== 'string') return null;
  return { resourceVersion, webhooks: Array.isArray(webhooks) ? webhooks : [] };
}

/** Each of its webhooks asks us, and trusts exactly this. */
export function isRegistered({ webhooks }: Registration, address: Address): boolean {
  return webhooks.every((webhook) => JSON.stringify(webhook) === JSON.stringify(addressed(webhook, address)));
}

/** Writes it, unless somebody else has written since it was read (409). Rejects with an ApiError. */
export async function register(
  client: Client,
  name: string,
  { resourceVersion, webhooks }: Registration,
  address: Address,
): Promise<void> {
  // A merge patch puts lists in place of lists: what else is said of each goes along.
  await client.patch(pathOf(resources.webhooks[0], null, name), {
    metadata: { resourceVersion },
    webhooks: webhooks.map((webhook) => addressed(webhook, address)),
  });
}

/** What is at a path; null where nothing is. Rejects with an ApiError. */
export async function getOrNull(client: Pick<Api, 'get'>, path: string): Promise<unknown> {
  try {
    return await client.get(path);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

function addressed(
  webhook: Readonly<Record<string, unknown>>,
  { bundle, path }: Address,
): Readonly<Record<string, unknown>> {
  const config = (webhook['clientConfig'] ?? {}) as Readonly<Record<string, unknown>>;
  const { service, url } = config;
  return {
    ...webhook,
    clientConfig: {
      ...config,
      caBundle: Buffer.from(bundle.join('')).toString('base64'),
      ...(typeof service === 'object' && service !== null ? { service: { ...service, path } } : {}),
      ...(typeof url === 'string' && URL.canParse(url) ? { url: new URL(path, url).href } : {}),
    },
  };
}
