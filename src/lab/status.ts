// What a lab is right now: nodes, agents, pods and Services, for people and as JSON.
import { table } from 'table'
import { readApplied } from './objects.ts'
import { isAlive } from './processes.ts'
import { podKey, readRecord } from './record.ts'

export interface LabStatus {
  readonly name: string
  readonly routing: string
  readonly socketServices: boolean
  readonly nodes: readonly {
    name: string
    agent: 'running' | 'gone'
    pid: number | null
    addresses: readonly string[]
    podCidrs: readonly string[]
    offLink: boolean
    socket: string
  }[]
  readonly pods: readonly {
    name: string
    node: string
    server: 'running' | 'gone'
    addresses: readonly string[]
    ports: readonly string[]
  }[]
  readonly services: readonly {
    name: string
    addresses: readonly string[]
    ports: readonly string[]
  }[]
}

/** Reads the record and looks whether its processes still run. */
export function labStatus(name: string): LabStatus {
  const lab = readRecord(name)
  return {
    name,
    routing: lab.settings.routing,
    socketServices: lab.settings.socketServices,
    nodes: lab.nodes.map((node) => ({
      name: node.name,
      agent: node.agent && isAlive(node.agent) ? 'running' : 'gone',
      pid: node.agent?.pid ?? null,
      addresses: node.addresses,
      podCidrs: node.podCidrs,
      offLink: node.offLink,
      socket: node.socket,
    })),
    pods: lab.pods.map((pod) => ({
      name: podKey(pod),
      node: pod.node,
      server: pod.server && isAlive(pod.server) ? 'running' : 'gone',
      addresses: pod.addresses,
      ports: pod.ports.map(({ port, protocol }) => `${port}/${protocol}`),
    })),
    services: readApplied(name).services.map((service) => ({
      name: podKey(service),
      addresses: service.headless ? ['headless'] : service.clusterIps,
      ports: service.ports.map(({ port, protocol }) => `${port}/${protocol}`),
    })),
  }
}

/** The status as aligned tables. */
export function formatStatus(status: LabStatus): string {
  const head = `Lab ${status.name}: routing ${status.routing}, service translation ${
    status.socketServices ? 'at the socket' : 'per packet'
  }`
  const nodes = status.nodes.map((node) => [
    node.name + (node.offLink ? ' (off-link)' : ''),
    node.agent === 'running' ? `agent ${node.pid}` : 'agent GONE',
    node.addresses.join(' '),
    node.podCidrs.join(' '),
  ])
  const pods = status.pods.map((pod) => [
    pod.name,
    pod.node,
    pod.addresses.join(' '),
    pod.ports.join(' ') || '-',
    pod.server === 'running' ? 'running' : 'GONE',
  ])
  const services = status.services.map(({ name, addresses, ports }) => [
    name,
    addresses.join(' '),
    ports.join(' '),
  ])
  return [
    head,
    columns(['NODE', 'AGENT', 'ADDRESSES', 'POD CIDRS'], nodes),
    columns(['POD', 'NODE', 'ADDRESSES', 'PORTS', 'SERVER'], pods),
    columns(['SERVICE', 'ADDRESSES', 'PORTS'], services),
  ]
    .filter(Boolean)
    .join('\n\n')
}

/** Rows under a header, aligned, without lines; nothing for no rows. */
export function columns(header: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ''
  return table([[...header], ...rows.map((row) => [...row])], {
    border: EMPTY_BORDER,
    drawHorizontalLine: () => false,
    columnDefault: { paddingLeft: 0, paddingRight: 2 },
  })
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
    .trimEnd()
}

const EMPTY_BORDER = {
  topBody: '',
  topJoin: '',
  topLeft: '',
  topRight: '',
  bottomBody: '',
  bottomJoin: '',
  bottomLeft: '',
  bottomRight: '',
  bodyLeft: '',
  bodyRight: '',
  bodyJoin: '',
  joinBody: '',
  joinLeft: '',
  joinRight: '',
  joinJoin: '',
}
