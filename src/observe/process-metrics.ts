import { collectDefaultMetrics, Registry } from 'prom-client';

/**
 * prom-client's metrics that promtool's linter refuses: gauges named like counters, names that repeat their
 * type. Each says what another one says, or what `mtls_event_loop_active_seconds_total` says better.
 */
const refused = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
  'nodejs_eventloop_utilization_summary',
  'nodejs_eventloop_utilization_histogram',
] as const;

/** Metrics of the process, the heap, garbage collection and the event loop, under prom-client's usual names. */
export function createProcessMetrics(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({
    register: registry,
    // Its histogram of utilisation is removed below; its timer cannot be, so it is left to run once in a day.
    eventLoopUtilizationTimeout: 86_400_000,
  });
  for (const name of refused) registry.removeSingleMetric(name);
  return registry;
}
