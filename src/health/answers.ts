// What load balancers are answered, byte for byte as kube-proxy does it
// (pkg/proxy/healthcheck/service_health.go, proxy_health.go).
import type { RequestListener, ServerResponse } from 'node:http'
import { addressFamily, type Family } from '../net/address.ts'
import type { HealthCheck } from '../tables/desired.ts'
import type { Tables } from '../tables/tables.ts'
import type { ProxyHealth } from './proxy-health.ts'

export interface AnswerSources {
  readonly tables: Pick<Tables, 'endpointSlices'>
  readonly nodeName: string
  readonly health: ProxyHealth
}

/** The listener for a row's port. */
export function answersFor({ service }: HealthCheck, sources: AnswerSources): RequestListener {
  if (service === undefined) {
    return (request, response) => answerNode(request.url ?? '/', response, sources.health)
  }
  return (_, response) => answerService(service, response, sources)
}

/**
 * This node's ready endpoints: one that terminates counts no more, and a pod of both families once.
 * By whichever address the node is asked: a Service of one family is healthy by both.
 */
function countLocalEndpoints({ tables, nodeName }: AnswerSources, service: string): number {
  const addresses: Record<Family, Set<string>> = { 4: new Set(), 6: new Set() }
  for (const { endpoints } of tables.endpointSlices.byIndex('service', service)) {
    for (const { ready, nodeName: on, address } of endpoints) {
      if (ready && on === nodeName) addresses[addressFamily(address)].add(address)
    }
  }
  return Math.max(addresses[4].size, addresses[6].size)
}

/** Any path is the same. */
function answerService(service: string, response: ServerResponse, sources: AnswerSources): void {
  const [namespace, name] = service.split('/')
  const localEndpoints = countLocalEndpoints(sources, service)
  const { healthy } = sources.health
  const body = { service: { namespace, name }, localEndpoints, serviceProxyHealthy: healthy }
  const headers = { 'X-Load-Balancing-Endpoint-Weight': String(localEndpoints) }
  send(response, localEndpoints > 0 && healthy, JSON.stringify(body, undefined, '\t'), headers)
}

/** /healthz heeds that the node is to leave, /livez does not. */
function answerNode(url: string, response: ServerResponse, health: ProxyHealth): void {
  const path = url.split('?')[0]
  const { healthy, ...times } = health.report()
  if (path === '/livez') {
    send(response, healthy, JSON.stringify({ ...times, healthy, status: statusOf(times, healthy) }))
    return
  }
  if (path === '/healthz') {
    const { nodeEligible } = health
    const ok = healthy && nodeEligible
    const body = { ...times, nodeEligible, healthy: ok, status: statusOf(times, healthy) }
    send(response, ok, JSON.stringify(body))
    return
  }
  response.writeHead(404, { 'Content-Type': 'text/plain' })
  response.end('Cannot find this page: there are /healthz and /livez\n')
}

/** One datapath serves both families. */
function statusOf({ lastUpdated }: { lastUpdated: string }, healthy: boolean) {
  const status = { lastUpdated, healthy }
  return { IPv4: status, IPv6: status }
}

function send(
  response: ServerResponse,
  ok: boolean,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(ok ? 200 : 503, {
    'Content-Type': 'application/json',
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  })
  response.end(body)
}
