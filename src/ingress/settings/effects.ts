import type { Config } from '../../config/schema.ts';
import type { TranslateOptions } from '../options.ts';
import {
  computeFullForwardedFor,
  enableRealIp,
  proxyProtocolTimeout,
  realIpCidr,
  useForwardedHeaders,
  useProxyProtocol,
} from './clients.ts';
import {
  bodyTimeout,
  connections,
  disableAccessLog,
  headerBuffers,
  headerTimeout,
  keepAlive,
  keepAliveRequests,
  shutdownTimeout,
  workers,
} from './limits.ts';
import type { Setting } from './setting.ts';
import { ciphers, ecdhCurve, protocols, rejectHandshake, sessionCache, sessionTickets } from './tls.ts';
import type { SettingValues } from './values.ts';

type Base = TranslateOptions['base'];
type Warn = (setting: Setting, message: string) => void;

/** ingress-nginx's default: everyone, of IPv4. */
const everyone = ['0.0.0.0/0'];

const tls13 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'];

/** What the ConfigMap says for the program as a whole. What the base says already, by flags, is kept. */
export function applySettings(base: Base, settings: SettingValues, warn: Warn): Base {
  const proxies = settings.get(realIpCidr);
  const believes = settings.get(useForwardedHeaders) === true || settings.get(enableRealIp) === true;
  const speaksProxy = settings.get(useProxyProtocol) === true;
  if ((believes || speaksProxy) && (proxies === null || proxies.includes('0.0.0.0/0'))) {
    warn(
      believes ? useForwardedHeaders : useProxyProtocol,
      'believes everyone: whoever reaches the listener may claim any address, and pass every check of addresses. Name the proxies in front in `proxy-real-ip-cidr`',
    );
  }
  const trusted = [...(proxies ?? everyone)];
  return {
    ...base,
    listeners: speaksProxy ? withProxyProtocol(base.listeners, trusted, settings) : base.listeners,
    ...(believes && !speaksProxy
      ? { forwarded: { trust: trusted, append: settings.get(computeFullForwardedFor) === true } }
      : {}),
    ...some('tls', { ...tlsOf(settings), ...base.tls }),
    ...some('limits', { ...limitsOf(settings), ...base.limits }),
    ...given(settings, shutdownTimeout, (value) => ({ shutdown: { grace: `${value}s`, ...base.shutdown } })),
    ...given(settings, workers, (value) => ({ workers: base.workers ?? value })),
    ...(settings.get(disableAccessLog) === true ? { accessLog: false } : {}),
  };
}

function withProxyProtocol(
  listeners: Config['listeners'],
  trusted: string[],
  settings: SettingValues,
): Config['listeners'] {
  const proxyProtocol = {
    trusted,
    ...given(settings, proxyProtocolTimeout, (value) => ({ timeout: `${Math.max(value, 1)}s` })),
  };
  const { https, http } = listeners;
  return {
    ...listeners,
    https: { ...https, proxyProtocol },
    ...(http === undefined ? {} : { http: { ...http, proxyProtocol } }),
  };
}

function tlsOf(settings: SettingValues): NonNullable<Base['tls']> {
  const resumes = settings.get(sessionCache) !== false || settings.get(sessionTickets) === true;
  return {
    ...given(settings, protocols, (minVersion) => ({ minVersion })),
    ...given(settings, ciphers, (names) => ({ ciphers: [...tls13, ...names] })),
    ...given(settings, ecdhCurve, (groups) => (groups.length === 0 ? {} : { groups: [...groups] })),
    ...(resumes ? {} : { sessionTickets: false }),
    ...(settings.get(rejectHandshake) === true
      ? { unknownServerName: 'refuse' as const, absentServerName: 'refuse' as const }
      : {}),
  };
}

function limitsOf(settings: SettingValues): NonNullable<Base['limits']> {
  const time = (value: number): string => `${Math.min(Math.max(value, 1), 86_400)}s`;
  return {
    ...given(settings, keepAlive, (value) => ({ keepAliveTimeout: time(value) })),
    ...given(settings, keepAliveRequests, (value) => ({ keepAliveRequests: Math.max(value, 1) })),
    ...given(settings, headerTimeout, (value) => ({ headTimeout: time(value) })),
    ...given(settings, bodyTimeout, (value) => ({ bodyTimeout: time(value) })),
    ...given(settings, headerBuffers, (value) => ({
      headSize: String(Math.min(Math.max(value, 1024), 1024 ** 2)),
    })),
    ...given(settings, connections, (value) => (value === 0 ? {} : { connections: value })),
  };
}

function given<Value, Result extends object>(
  settings: SettingValues,
  setting: Setting<Value>,
  make: (value: Value) => Result,
): Result | object {
  const value = settings.get(setting);
  return value === null ? {} : make(value);
}

function some(key: 'tls' | 'limits', value: object): Partial<Base> {
  return Object.keys(value).length === 0 ? {} : { [key]: value };
}
