// Weir from deploy/, as anybody installs it; only the ConfigMap says what is particular to this
// cluster.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments, stringify } from 'yaml'
import { projectRoot } from '../lab/paths.ts'
import { kubectl } from './kubectl.ts'
import type { ClusterRecord } from './record.ts'
import { API_SERVER } from './spec.ts'

/** Settings of this cluster, by their names in the ConfigMap. */
export const CLUSTER_SETTINGS: Readonly<Record<string, string>> = {
  // There is no kube-proxy that would make the Service address work before Weir does.
  WEIR_API_SERVER: API_SERVER,
  // Version 1 has /sys/fs/cgroup here, and version 2 lies below it.
  WEIR_CGROUP_ROOT: '/host/cgroup/unified',
}

const MINUTES_MS = 180_000

interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data?: Readonly<Record<string, string>>
}

/** The manifests with the settings merged into the ConfigMap `weir`. Pure. */
export function withSettings(text: string, settings: Readonly<Record<string, string>>): string {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null)
    .map((manifest) => {
      const isSettings = manifest.kind === 'ConfigMap' && manifest.metadata.name === 'weir'
      return isSettings ? { ...manifest, data: { ...manifest.data, ...settings } } : manifest
    })
    .map((manifest) => stringify(manifest))
    .join('---\n')
}

/** Applies deploy/weir.yaml. */
export async function deployWeir(record: ClusterRecord): Promise<void> {
  const text = readFileSync(join(projectRoot(), 'deploy', 'weir.yaml'), 'utf8')
  await kubectl(record, ['apply', '-f', '-'], withSettings(text, CLUSTER_SETTINGS))
}

/**
 * Takes Weir off the nodes as docs/operations.md says it; what `weir uninstall --verify` said on
 * each. Throws when something is left.
 */
export async function uninstallWeir(record: ClusterRecord): Promise<string> {
  const deploy = join(projectRoot(), 'deploy')
  const manifest = readFileSync(join(deploy, 'uninstall.yaml'), 'utf8')
  const objects = parseAllDocuments(manifest).map((document) => stringify(document.toJS()))
  const place = CLUSTER_SETTINGS['WEIR_CGROUP_ROOT'] as string
  const input = objects.join('---\n').replaceAll(/value: \/host\/cgroup$/gm, `value: ${place}`)
  await kubectl(record, ['delete', '-f', join(deploy, 'weir.yaml')], undefined, MINUTES_MS)
  await kubectl(record, ['apply', '-f', '-'], input)
  const own = ['-n', 'weir-uninstall']
  const status = ['rollout', 'status', ...own, 'daemonset/weir-uninstall', '--timeout=120s']
  await kubectl(record, status, undefined, MINUTES_MS)
  const logs = ['logs', ...own, '-l', 'app.kubernetes.io/name=weir-uninstall', '-c', 'verify']
  const said = await kubectl(record, [...logs, '--prefix', '--tail=-1'])
  await kubectl(record, ['delete', '-f', '-'], input, MINUTES_MS)
  return said
}

/** Applies CoreDNS; resolves once names are answered. */
export async function deployDns(record: ClusterRecord): Promise<void> {
  await kubectl(record, ['apply', '-f', join(projectRoot(), 'deploy/test-cluster/coredns.yaml')])
  const wait = ['rollout', 'status', 'deployment/coredns', '-n', 'kube-system']
  await kubectl(record, [...wait, '--timeout=50s'])
}
