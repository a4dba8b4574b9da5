// The ports of the node that lead to one of its pods: frontends whose only backend is the pod.
import { addressFamily } from '../net/address.ts'
import type { Frontend } from '../tables/desired.ts'
import type { Endpoint, HostPort } from '../tables/intent.ts'
import type { Site } from './site.ts'

/** A host port is there in each family in which the pod has an address. */
export function hostPortFrontends(endpoint: Endpoint, site: Site): readonly Frontend[] {
  return endpoint.hostPorts.flatMap((hostPort) => frontendsOf(endpoint, hostPort, site))
}

function frontendsOf(
  { podNamespace, podName, addresses }: Endpoint,
  { hostPort, containerPort, protocol, hostIp }: HostPort,
  { hostPortAddresses }: Site,
): Frontend[] {
  if (protocol === 'SCTP') return []
  return (hostIp === undefined ? hostPortAddresses : [hostIp]).flatMap((address) => {
    const family = addressFamily(address)
    const own = addresses.find((podAddress) => addressFamily(podAddress) === family)
    if (own === undefined) return []
    const backends = [{ address: own, port: containerPort }]
    const frontend: Frontend = {
      address,
      port: hostPort,
      protocol,
      service: `${podNamespace}/${podName}`,
      portName: '',
      kind: 'HostPort',
      backends,
      externalBackends: backends,
      whenEmpty: 'refuse',
      externalWhenEmpty: 'refuse',
      affinitySeconds: 0,
      balancing: 'random',
      forwarding: 'snat',
    }
    return [frontend]
  })
}
