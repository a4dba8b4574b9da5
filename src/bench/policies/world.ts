// A cluster with policies: its namespaces, dual-stack pods, and NetworkPolicies of the forms that
// people write. Pure: the same world gives the same objects.
import {
  type ApiObject,
  type Dataset,
  each,
  namespaceName,
  namespaceWanted,
  nodeName,
  nodeWanted,
  podNetwork,
  type Stored,
  type Wanted,
} from '../scale/objects.ts'

export interface World {
  readonly pods: number
  readonly policies: number
  readonly namespaces: number
  readonly nodes: number
  /** For each count a namespace in which so many policies select every pod; see below. */
  readonly crowded: readonly number[]
}

/** Ten pods to a namespace at the least, a thousand namespaces at the most; 100 pods to a node. */
export function worldOf(pods: number, policies: number, crowded: readonly number[] = []): World {
  const namespaces = Math.max(1, Math.min(1000, Math.floor(pods / 10)))
  return { pods, policies, namespaces, nodes: Math.max(1, Math.ceil(pods / 100)), crowded }
}

/** Raised when other objects are made of a world. */
const VERSION = 2

export function worldDataset(world: World): Dataset {
  return {
    from: [VERSION, { policyWorld: world }],
    text: `${world.pods} pods, ${world.policies} policies, ${world.namespaces} namespaces`,
    ranks: () => [
      [
        ...each(world.namespaces, namespaceWanted),
        ...world.crowded.map((count) => namespaceNamed(crowdedNamespace(count))),
        ...each(world.nodes, (node) => nodeWanted(node, podCidrs(node))),
      ],
    ],
    // Ten thousand a second instead of some hundred.
    stored: () => [...podsOf(world), ...policiesOf(world)].map(storedAs),
  }
}

export function podsOf(world: World): Wanted[] {
  return each(world.pods, (pod) => podWanted(world, pod))
}

export function policiesOf(world: World): Wanted[] {
  return [
    ...each(world.policies, (policy) => policyWanted(world, policy)),
    ...world.crowded.flatMap((count) => each(count, (at) => crowdedPolicy(world, count, at))),
  ]
}

const KEYS: Readonly<Record<string, string>> = {
  Pod: '/registry/pods',
  NetworkPolicy: '/registry/networkpolicies',
}

function storedAs({ object, status }: Wanted, index: number): Stored {
  const uid = `00000000-0000-4000-9000-${index.toString(16).padStart(12, '0')}`
  const metadata = { ...object.metadata, uid, creationTimestamp: '2026-11-01T00:00:00Z' }
  const { namespace, name } = metadata
  const key = `${KEYS[object.kind]}/${namespace}/${name}`
  return { key, object: { ...object, metadata, ...(status ? { status } : {}) } as ApiObject }
}

export function namespaceNamed(name: string): Wanted {
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
  return { path: '/api/v1/namespaces', object }
}

const APPS = 10
/** Namespaces of the pods of one node lie so far apart. */
const STRIDE = 17

/** Where the pod in this slot of a node belongs, and its labels. */
export function podPlace({ namespaces }: World, node: number, slot: number) {
  const app = `app-${slot % APPS}`
  const labels = {
    app,
    'pod-template-hash': (0x1234567 + (slot % APPS) * 7919).toString(36),
    version: `v${slot % 3}`,
    tier: slot % 4 === 0 ? 'frontend' : 'backend',
    // No policy of the world asks for these: one is the same of every pod, one is not.
    'managed-by': 'deployer',
    release: slot % 7 === 0 ? 'canary' : 'stable',
  }
  return { namespace: namespaceName((slot * STRIDE + node) % namespaces), labels }
}

/** A pod of a container with a named port, as a deployment would make it. */
export function podObject(
  { name, namespace }: { name: string; namespace: string },
  labels: Readonly<Record<string, string>>,
  nodeName: string,
) {
  const container = {
    ...{ name: 'server', image: `registry.example/team/${labels['app']}:1.0.0` },
    ports: [{ name: 'http', containerPort: 8080 }],
    readinessProbe: { httpGet: { path: '/ready', port: 8080 }, periodSeconds: 10 },
  }
  const spec = { nodeName, containers: [container], automountServiceAccountToken: false }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, labels }, spec }
}

/** What a kubelet would say of a pod that runs. */
export function podStatus(hostIP: string, addresses: readonly string[]) {
  const conditions = ['Ready', 'ContainersReady', 'Initialized', 'PodScheduled'].map((type) => ({
    ...{ type, status: 'True', lastTransitionTime: '2026-11-01T00:00:00Z' },
  }))
  const podIPs = addresses.map((ip) => ({ ip }))
  return { phase: 'Running', conditions, hostIP, podIP: addresses[0], podIPs }
}

function podWanted(world: World, index: number): Wanted {
  const node = index % world.nodes
  const slot = Math.floor(index / world.nodes)
  const { namespace, labels } = podPlace(world, node, slot)
  const name = `${labels.app}-${labels['pod-template-hash']}-${index}`
  const addresses = [`${podNetwork(node)}.${2 + slot}`, `${podNetwork6(node)}${slot + 2}`]
  return {
    path: `/api/v1/namespaces/${namespace}/pods`,
    object: podObject({ name, namespace }, labels, nodeName(node)),
    status: podStatus(`172.20.${node >> 8}.${node & 255}`, addresses),
  }
}

function podCidrs(node: number): string[] {
  return [`${podNetwork(node)}.0/24`, `${podNetwork6(node)}/64`]
}

function podNetwork6(node: number): string {
  return `fd00:10:128:${node.toString(16)}::`
}

type Spec = Readonly<Record<string, unknown>>

const TCP_8080 = [{ protocol: 'TCP', port: 8080 }]
const DNS = ['UDP', 'TCP'].map((protocol) => ({ protocol, port: 53 }))

/** The forms of policies, of which each namespace has some: a function of the namespace each. */
const FORMS: readonly ((namespace: number) => Spec)[] = [
  () => ({ podSelector: {}, policyTypes: ['Ingress'] }),
  () => ({ podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] }),
  () => ({ podSelector: app(0), ingress: [{ from: [{ podSelector: app(1) }], ports: TCP_8080 }] }),
  (namespace) => {
    const peer = {
      namespaceSelector: { matchLabels: { team: `team-${namespace % 50}` } },
      podSelector: { matchLabels: { tier: 'frontend' } },
    }
    const ports = [...TCP_8080, { protocol: 'TCP', port: 9090, endPort: 9099 }]
    return {
      podSelector: { matchLabels: { tier: 'backend' } },
      ingress: [{ from: [peer], ports }],
    }
  },
  () => ({
    podSelector: {},
    egress: [{ to: [{ namespaceSelector: named(namespaceName(0)) }], ports: DNS }],
    policyTypes: ['Egress'],
  }),
  (namespace) => ({
    podSelector: app(2),
    egress: [
      { to: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.131.0.0/16'] } }] },
      { to: [{ ipBlock: { cidr: `198.51.100.${(namespace % 16) * 16}/28` } }], ports: TCP_8080 },
    ],
    policyTypes: ['Egress'],
  }),
  () => ({
    podSelector: app(2),
    ingress: [{ from: [{ podSelector: app(3) }], ports: [{ protocol: 'TCP', port: 'http' }] }],
  }),
  () => ({
    podSelector: {},
    ingress: [
      {
        from: [
          {
            namespaceSelector: { matchLabels: { environment: 'production' } },
            podSelector: app(9),
          },
        ],
        ports: TCP_8080,
      },
    ],
  }),
  () => {
    const values = ['app-4', 'app-5']
    const from = [{ podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values }] } }]
    const old = { key: 'version', operator: 'NotIn', values: ['v0'] }
    return { podSelector: { matchExpressions: [old] }, ingress: [{ from }] }
  },
  () => ({
    podSelector: {},
    egress: [{ to: [{ podSelector: {} }] }],
    policyTypes: ['Egress'],
  }),
]

function app(number: number): object {
  return { matchLabels: { app: `app-${number}` } }
}

function named(namespace: string): object {
  return { matchLabels: { 'kubernetes.io/metadata.name': namespace } }
}

/** Policies are dealt to the namespaces in turn, each form once before one comes again. */
function policyWanted({ namespaces }: World, index: number): Wanted {
  const namespace = index % namespaces
  const turn = Math.floor(index / namespaces)
  const form = FORMS[turn % FORMS.length] as (namespace: number) => Spec
  return policyOf(namespaceName(namespace), `policy-${turn}`, form(namespace))
}

export function policyOf(namespace: string, name: string, spec: Spec): Wanted {
  const object: ApiObject = {
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' },
    ...{ metadata: { name, namespace }, spec },
  }
  return { path: policiesPath(namespace), object }
}

export function policiesPath(namespace: string): string {
  return `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`
}

export function crowdedNamespace(count: number): string {
  return `crowded-${count}`
}

/** Labels of the pods between which the last policy of a crowded namespace lets pass. */
export const MEMBER = { app: 'member' } as const
/** What is let pass: the ports of the load. */
const LOAD_PORTS = [{ protocol: 'TCP', port: 7000, endPort: 7002 }]

/**
 * Every one isolates all pods in both directions and lets one group of the world's pods pass, the
 * last one those of its own namespace that are members.
 */
function crowdedPolicy({ namespaces }: World, count: number, at: number): Wanted {
  const group = {
    namespaceSelector: named(namespaceName(at % namespaces)),
    podSelector: app(Math.floor(at / namespaces) % APPS),
  }
  const peers = at === count - 1 ? [{ podSelector: { matchLabels: MEMBER } }] : [group]
  return policyOf(crowdedNamespace(count), `policy-${at}`, {
    ...{ podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
    ingress: [{ from: peers, ports: LOAD_PORTS }],
    egress: [{ to: peers, ports: LOAD_PORTS }],
  })
}
