// Waits until every agent's kernel holds what the lab has: each Service with its present backends, and
// the way to each node. Checks before that would test the watch and not the datapath.
import { addressFamily, formatAddressPort } from '../net/address.ts'
import { askAgent } from './agent-api.ts'
import { planSlices } from './manifests/services.ts'
import { readApplied } from './objects.ts'
import { waitUntil } from './processes.ts'
import type { LabRecord } from './record.ts'

const TIMEOUT_MS = 20_000

interface View {
  readonly drift: string
  readonly differences?: readonly string[]
}

/** Resolves once all agents agree with the lab. Throws with the first disagreement after 20 s. */
export async function waitUntilAgreed(lab: LabRecord): Promise<void> {
  const wanted = wantedFrontends(lab)
  for (const node of lab.nodes) {
    let disagreement = ''
    const agreed = await waitUntil(
      async () => {
        disagreement = await disagreementOf(node.socket, lab, wanted).catch(
          (error: Error) => error.message,
        )
        return disagreement === ''
      },
      TIMEOUT_MS,
      50,
    )
    if (!agreed) throw new Error(`Cannot use ${node.name}: ${disagreement}`)
  }
}

/** Backends by frontend ("10.96.0.11:80/TCP"), each list sorted. */
function wantedFrontends(lab: LabRecord): Map<string, string> {
  const frontends = new Map<string, string>()
  for (const service of readApplied(lab.name).services) {
    const slices = planSlices(service, lab.pods)
    for (const address of service.clusterIps) {
      for (const port of service.ports) {
        const backends = slices
          .filter(({ family }) => family === addressFamily(address))
          .flatMap((slice) => {
            const target = slice.ports.find(
              ({ name, protocol }) => name === port.name && protocol === port.protocol,
            )
            const addresses = slice.pods.flatMap((pod) => pod.addresses)
            return addresses
              .filter((ip) => target && addressFamily(ip) === slice.family)
              .map((ip) => formatAddressPort(ip, target?.port ?? 0))
          })
        const key = `${formatAddressPort(address, port.port)}/${port.protocol}`
        frontends.set(key, backends.sort().join(' '))
      }
    }
  }
  return frontends
}

async function disagreementOf(
  socket: string,
  lab: LabRecord,
  wanted: ReadonlyMap<string, string>,
): Promise<string> {
  type Frontend = View & { readonly frontend: string; readonly actual: readonly string[] }
  const services = (await askAgent(socket, '/v1/services')) as Frontend[]
  const found = new Map(services.map((row) => [row.frontend, [...row.actual].sort().join(' ')]))
  for (const [key, backends] of wanted) {
    const has = found.get(key)
    if (has !== backends) return `frontend ${key} has "${has ?? 'no entry'}", wanted "${backends}"`
  }
  const extra = [...found.keys()].find((key) => !wanted.has(key))
  if (extra) return `frontend ${extra} is there and not wanted`
  const nodes = (await askAgent(socket, '/v1/nodes')) as (View & { readonly name: string })[]
  for (const { name } of lab.nodes) {
    const view = nodes.find((row) => row.name === name)
    if (view?.drift !== 'ok') {
      return `node ${name} is ${view?.drift ?? 'unknown'}: ${view?.differences?.join('; ') ?? ''}`
    }
  }
  return ''
}
