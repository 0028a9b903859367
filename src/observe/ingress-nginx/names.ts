import type { Aggregate, Declaration, HistogramDeclaration } from '../catalogue.ts';
import { catalogue } from '../catalogue.ts';

/** A metric under ingress-nginx's name, and what it is made from: of ours, or of the process. */
export interface Alias extends Omit<Declaration, 'type'> {
  readonly type: 'gauge' | 'untyped' | 'histogram';
  /** Names on the same page, or in words. */
  readonly from: readonly string[];
}

const prefix = 'nginx_ingress_controller_';

/** On every metric: what ingress-nginx's dashboards choose by. */
export const controllerLabels = ['controller_class', 'controller_namespace', 'controller_pod'] as const;

const routeLabels = ['host', 'path', 'namespace', 'ingress', 'service', 'canary'] as const;

const aggregate: Aggregate = 'sum';

function alias(
  type: Alias['type'],
  name: string,
  labels: readonly string[],
  help: string,
  from: readonly string[],
): Alias {
  return Object.freeze({
    type,
    name: prefix + name,
    help,
    labels: Object.freeze([...labels, ...controllerLabels]),
    aggregate,
    from: Object.freeze(from),
  });
}

/**
 * A counter of theirs whose name does not end in `_total`. Prometheus counts it all the same, and its linter refuses it
 * only where it is said to be a counter.
 */
const counter = alias.bind(null, 'untyped');
const gauge = alias.bind(null, 'gauge');

function histogram(
  buckets: readonly number[],
  ...rest: [name: string, labels: readonly string[], help: string, from: readonly string[]]
): Alias & HistogramDeclaration {
  return Object.freeze({ ...alias('histogram', ...rest), type: 'histogram' as const, buckets });
}

const ours = catalogue;

/** Every name that there is; docs/metrics.md has the same as a table. */
export const aliases = Object.freeze({
  requests: counter('requests', [...routeLabels, 'method', 'status'], 'Requests answered.', [
    ours.requests.name,
  ]),
  requestDuration: histogram(
    ours.requestDuration.buckets,
    'request_duration_seconds',
    [...routeLabels, 'status'],
    'From a request head to the end of its answer, by class of status.',
    [ours.requestDuration.name],
  ),
  headerDuration: histogram(
    ours.upstreamDuration.buckets,
    'header_duration_seconds',
    ['namespace', 'service'],
    'From sending a request to an upstream to the head of its response.',
    [ours.upstreamDuration.name],
  ),
  requestSize: histogram(
    [],
    'request_size',
    ['host', 'namespace', 'ingress'],
    'Bytes of request bodies; sum and count.',
    [ours.receivedBytes.name, ours.requests.name],
  ),
  responseSize: histogram(
    [],
    'response_size',
    ['host', 'namespace', 'ingress'],
    'Bytes of response bodies; sum and count.',
    [ours.sentBytes.name, ours.requests.name],
  ),
  sslExpireTime: gauge(
    'ssl_expire_time_seconds',
    ['host', 'namespace', 'class'],
    'When the certificate of a host expires.',
    [ours.serverCertificateNotAfter.name],
  ),
  sslCertificateInfo: gauge(
    'ssl_certificate_info',
    [
      'host',
      'namespace',
      'class',
      'issuer_common_name',
      'issuer_organization',
      'serial_number',
      'public_key_algorithm',
    ],
    'The certificate of a host. Always 1.',
    ['the certificates of the snapshot'],
  ),
  lastReloadSuccessful: gauge(
    'config_last_reload_successful',
    [],
    'Whether the latest attempt to load a configuration succeeded.',
    [ours.lastReloadSuccessful.name],
  ),
  lastReloadTimestamp: gauge(
    'config_last_reload_successful_timestamp_seconds',
    [],
    'When a configuration was last loaded.',
    [ours.lastReloadTimestamp.name],
  ),
  configHash: gauge('config_hash', [], 'Of the configuration that serves.', [ours.configHash.name]),
  success: counter('success', [], 'Configurations loaded.', [ours.reloads.name]),
  errors: counter('errors', [], 'Configurations refused.', [ours.reloads.name]),
  buildInfo: gauge('build_info', ['release'], 'What is running. Always 1.', [ours.buildInfo.name]),
  connections: gauge('nginx_process_connections', ['state'], 'Connections open now (active).', [
    ours.openConnections.name,
  ]),
  connectionsTotal: counter(
    'nginx_process_connections_total',
    ['state'],
    'Connections accepted, and those of them that were not closed unread (handled).',
    [ours.connections.name, ours.connectionsRefused.name],
  ),
  requestsTotal: counter('nginx_process_requests_total', [], 'Requests answered, of all hosts.', [
    ours.requests.name,
  ]),
  processes: gauge('nginx_process_num_procs', [], 'Worker processes that take traffic.', [
    ours.workersReady.name,
  ]),
  cpu: counter('nginx_process_cpu_seconds_total', [], 'CPU time, of all processes.', [
    'process_cpu_seconds_total',
  ]),
  residentMemory: gauge('nginx_process_resident_memory_bytes', [], 'Resident memory, of all processes.', [
    'process_resident_memory_bytes',
  ]),
  virtualMemory: gauge('nginx_process_virtual_memory_bytes', [], 'Virtual memory, of all processes.', [
    'process_virtual_memory_bytes',
  ]),
});
