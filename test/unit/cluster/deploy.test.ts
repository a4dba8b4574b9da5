// deploy/: the rendered file is what its sources say, and the sources say what the agent takes.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse, parseAllDocuments } from 'yaml'
import { CLUSTER_SETTINGS, withSettings } from '../../../src/cluster/deploy.ts'
import { WEIR_IMAGE } from '../../../src/cluster/image-names.ts'
import { renderManifest } from '../../../src/cluster/render.ts'
import { readConfig } from '../../../src/config.ts'
import { AGENT_ENVIRONMENT } from '../../../src/lab/agents.ts'

const DEPLOY = new URL('../../../deploy/', import.meta.url).pathname
const read = (name: string): string => readFileSync(join(DEPLOY, name), 'utf8')

interface Container {
  readonly image: string
  readonly securityContext: {
    readonly privileged?: boolean
    readonly capabilities: { readonly drop: string[]; readonly add?: string[] }
  }
}

interface DaemonSet {
  readonly spec: {
    readonly template: {
      readonly spec: { readonly initContainers: Container[]; readonly containers: Container[] }
    }
  }
}

function containers(): Container[] {
  const { spec } = (parse(read('daemonset.yaml')) as DaemonSet).spec.template
  return [...spec.initContainers, ...spec.containers]
}

function settings(): Record<string, string> {
  return (parse(read('configmap.yaml')) as { data: Record<string, string> }).data
}

test('deploy/weir.yaml is what its sources say', () => {
  assert.equal(read('weir.yaml'), renderManifest(DEPLOY), 'run "make deploy/weir.yaml"')
})

test('the lab runs agents in the environment of the DaemonSet', () => {
  for (const [name, value] of Object.entries(AGENT_ENVIRONMENT)) {
    const given = new RegExp(`name: ${name}\n +value: '?([^'\n]*)`).exec(read('daemonset.yaml'))
    assert.equal(given?.[1], value, name)
  }
})

test('renderManifest() refuses what it would leave out', () => {
  const directory = mkdtempSync(join(tmpdir(), 'weir-render-'))
  try {
    writeFileSync(join(directory, 'kustomization.yaml'), 'resources: []\nimages: []\n')
    assert.throws(() => renderManifest(directory), /Cannot render .*: images is not known/)
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('the ConfigMap has fewer than 30 settings, each after a comment', () => {
  const names = Object.keys(settings())
  assert.ok(names.length < 30)
  const lines = read('configmap.yaml').split('\n')
  for (const name of names) {
    const at = lines.findIndex((line) => line.trim().startsWith(`${name}:`))
    assert.match(lines[at - 1] ?? '', /^ {2}# /, name)
  }
})

test('the ConfigMap holds the defaults of the agent', () => {
  const base = { NODE_NAME: 'a', WEIR_CGROUP_ROOT: '/host/cgroup' }
  assert.deepEqual(readConfig([], { ...base, ...settings() }), readConfig([], base))
})

test('every setting of the ConfigMap and of the cluster is one of the agent', () => {
  const source = readFileSync(join(DEPLOY, '..', 'src', 'config.ts'), 'utf8')
  const flags = [...source.matchAll(/flag: '([a-z-]+) /g)].map(([, flag]) => flag)
  const known = flags.map((flag) => `WEIR_${flag?.replaceAll('-', '_').toUpperCase()}`)
  const given = Object.keys({ ...settings(), ...CLUSTER_SETTINGS })
  assert.deepEqual(
    given.filter((name) => !known.includes(name)),
    [],
  )
})

test('no container is privileged, each drops all capabilities', () => {
  for (const { image, securityContext } of containers()) {
    assert.equal(image, WEIR_IMAGE)
    assert.notEqual(securityContext.privileged, true)
    assert.deepEqual(securityContext.capabilities.drop, ['ALL'])
  }
  const added = containers().flatMap(
    ({ securityContext }) => securityContext.capabilities.add ?? [],
  )
  assert.deepEqual(added, ['BPF', 'PERFMON', 'NET_ADMIN', 'SYS_ADMIN'])
})

test('the uninstaller is the same image, with no more than the agent may do and reach', () => {
  const documents = parseAllDocuments(read('uninstall.yaml')).map((each) => each.toJS())
  const { spec } = documents.find(({ kind }) => kind === 'DaemonSet').spec.template
  const agent = parse(read('daemonset.yaml')).spec.template.spec
  const allowed = agent.containers[0].securityContext.capabilities.add as string[]
  for (const { image, securityContext } of [...spec.initContainers, ...spec.containers]) {
    assert.equal(image, WEIR_IMAGE)
    assert.deepEqual(securityContext.capabilities.drop, ['ALL'])
    for (const name of securityContext.capabilities.add) assert.ok(allowed.includes(name), name)
  }
  const paths = ({ volumes }: { volumes: { hostPath: { path: string } }[] }) =>
    volumes.map(({ hostPath }) => hostPath.path)
  const reached = paths(agent)
  for (const path of paths(spec)) assert.ok(reached.includes(path), path)
})

test('the agent may list and watch, create Events, and nothing else', () => {
  const documents = parseAllDocuments(read('rbac.yaml')).map((each) => each.toJS())
  const { rules } = documents.find(({ kind }) => kind === 'ClusterRole') as {
    rules: { resources: string[]; verbs: string[] }[]
  }
  const rights = rules.flatMap(({ resources, verbs }) =>
    resources.map((resource) => `${resource}: ${verbs.join()}`),
  )
  assert.deepEqual(rights.sort(), [
    'clusternetworkpolicies: list,watch',
    'endpointslices: list,watch',
    'events: create',
    'namespaces: list,watch',
    'networkpolicies: list,watch',
    'nodes: list,watch',
    'pods: list,watch',
    'servicecidrs: list,watch',
    'services: list,watch',
  ])
})

test('withSettings() changes the ConfigMap alone', () => {
  const given = renderManifest(DEPLOY)
  const objects = (text: string) => parseAllDocuments(text).map((each) => each.toJS())
  const before = objects(given)
  const after = objects(withSettings(given, { WEIR_ROUTING: 'vxlan' }))
  const isSettings = ({ kind }: { kind: string }): boolean => kind === 'ConfigMap'
  assert.deepEqual(
    after.filter((each) => !isSettings(each)),
    before.filter((each) => each !== null && !isSettings(each)),
  )
  assert.equal(after.find(isSettings).data.WEIR_ROUTING, 'vxlan')
  assert.equal(after.find(isSettings).data.WEIR_LOG_LEVEL, 'info')
})
