// Changes of a world that go back and forth, as a user of the cluster makes them: for what each
// costs an agent whose node is the world's first.
import { nodeName, type Wanted } from '../scale/objects.ts'
import { podObject, podPlace, podStatus, policyOf, type World } from './world.ts'

export interface Change {
  readonly name: string
  /** In turn. */
  readonly states: readonly { readonly wanted: Wanted; readonly isThere: boolean }[]
}

export function changesOf(world: World): Change[] {
  const here = podPlace(world, 0, 3).namespace
  const elsewhere = podPlace(world, 1, 3).namespace
  const allow = (key: string, value: string) => ({
    podSelector: {},
    ingress: [{ from: [{ podSelector: { matchLabels: { [key]: value } } }] }],
  })
  return [
    comesAndGoes('policy', policyOf(here, 'change', allow('app', 'app-7'))),
    comesAndGoes('policy-elsewhere', policyOf(elsewhere, 'change', allow('app', 'app-7'))),
    comesAndGoes('pod', podOf(here, 'app-1')),
    turnsInto('pod-label', podOf(here, 'app-1'), podOf(here, 'app-9')),
    turnsInto('namespace-label', namespaceOf(here, 'staging'), namespaceOf(here, 'production')),
    comesAndGoes('new-key', policyOf(here, 'change', allow('managed-by', 'deployer'))),
    comesAndGoes('new-key-splits', policyOf(here, 'change', allow('release', 'stable'))),
  ]
}

function comesAndGoes(name: string, wanted: Wanted): Change {
  return { name, states: [true, false].map((isThere) => ({ wanted, isThere })) }
}

function turnsInto(name: string, ...wanted: readonly Wanted[]): Change {
  return { name, states: wanted.map((each) => ({ wanted: each, isThere: true })) }
}

/** A pod elsewhere, with labels that no other has. */
function podOf(namespace: string, app: string): Wanted {
  const labels = { app, tier: 'backend', version: 'v9' }
  return {
    path: `/api/v1/namespaces/${namespace}/pods`,
    object: podObject({ name: 'change', namespace }, labels, nodeName(1)),
    status: podStatus('172.20.0.1', ['10.128.1.250', 'fd00:10:128:1::fa']),
  }
}

function namespaceOf(name: string, environment: string): Wanted {
  const labels = { team: 'team-0', environment }
  const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }
  return { path: '/api/v1/namespaces', object }
}
