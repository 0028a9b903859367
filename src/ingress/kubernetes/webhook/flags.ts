import { isIP } from 'node:net';
import { isLabel } from '../../read-meta.ts';
import { secretName, type WebhookSettings } from './webhook.ts';

/** The flags of the webhook, for `parseArgs`. Named after ingress-nginx's where it has them. */
export const webhookFlags = {
  'validating-webhook': { type: 'string' },
  'validating-webhook-certificate': { type: 'string' },
  'validating-webhook-key': { type: 'string' },
  'validating-webhook-configuration': { type: 'string' },
  'validating-webhook-service': { type: 'string' },
} as const;

export const webhookUsage = `    --validating-webhook ADDRESS:PORT judge Ingresses before the API server takes them; what would not be served is refused there
    --validating-webhook-certificate FILE, --validating-webhook-key FILE   for it (made, renewed and registered by the program)
    --validating-webhook-configuration NAME   the ValidatingWebhookConfiguration (mtls-ingress)
    --validating-webhook-service NS/NAME      the Service in it (mtls-ingress-webhook, in the namespace of the Pod)
`;

export type WebhookFlags = { readonly [Name in keyof typeof webhookFlags]?: string };

/** Reads the flags; a message about the first that makes no sense. Null: no webhook. Pure. */
export function readWebhookFlags(
  flags: WebhookFlags,
  env: NodeJS.ProcessEnv,
): Omit<WebhookSettings, 'isDryRun'> | { readonly fault: string } | null {
  const given = flags['validating-webhook'];
  if (given === undefined) {
    const stray = Object.keys(webhookFlags).find((name) => Object.hasOwn(flags, name));
    return stray === undefined ? null : { fault: `--${stray} goes with --validating-webhook` };
  }
  const [, bracketed, plain = '', port = ''] = /^(?:\[([^\]]*)\]|([^:]*)):([0-9]{1,5})$/.exec(given) ?? [];
  const address = bracketed ?? (plain === '' ? '0.0.0.0' : plain);
  if (isIP(address) === 0 || port === '' || Number(port) > 65535)
    return { fault: `--validating-webhook ${given} is not ADDRESS:PORT` };
  const certificate = flags['validating-webhook-certificate'];
  const key = flags['validating-webhook-key'];
  if ((certificate === undefined) !== (key === undefined))
    return {
      fault: 'give --validating-webhook-certificate and --validating-webhook-key, or neither of them',
    };
  const registration = flags['validating-webhook-configuration'] ?? 'mtls-ingress';
  if (!/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(registration))
    return { fault: `--validating-webhook-configuration ${registration} is no name` };
  const home = env['POD_NAMESPACE'] ?? '';
  const service = flags['validating-webhook-service'] ?? `${home === '' ? 'default' : home}/${secretName}`;
  const [namespace = '', name = '', ...rest] = service.split('/');
  if (!isLabel(namespace) || !isLabel(name) || rest.length > 0)
    return { fault: `--validating-webhook-service ${service} is not NAMESPACE/NAME` };
  return {
    listen: { address, port: Number(port) },
    files: certificate === undefined || key === undefined ? null : { certificate, key },
    service: { namespace, name },
    registration,
  };
}
