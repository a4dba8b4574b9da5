// What people applied themselves: every Service with backends answers a pod of every node.
import { formatAddressPort } from '../../net/address.ts'
import type { ClusterService } from '../cluster.ts'
import { NAMESPACE } from '../fixture.ts'
import { mustAnswer } from '../probes.ts'
import { type Check, inPod, podOf, type Scene } from '../scene.ts'

/** One check per Service that is not the suite's own. */
export function appliedChecks({ cluster, title }: Scene): Check[] {
  return cluster
    .services()
    .filter(({ namespace, clusterIps, backends }) => {
      return namespace !== NAMESPACE && clusterIps.length > 0 && backends.length > 0
    })
    .map((service) => ({
      name: `${title}: Service ${service.namespace}/${service.name} answers pods of every node`,
      run: async () => {
        const targets = targetsOf(service)
        for (const { name } of cluster.nodes()) {
          for (const target of targets) {
            const client = inPod(podOf(cluster, 'client', name))
            await mustAnswer(cluster, client, target, { udp: target.udp })
          }
        }
        return targets.map(({ address, port }) => formatAddressPort(address, port)).join(' ')
      },
    }))
}

function targetsOf({ clusterIps, ports }: ClusterService) {
  return clusterIps.flatMap((address) =>
    ports.map(({ port, protocol }) => ({ address, port, udp: protocol === 'UDP' })),
  )
}
