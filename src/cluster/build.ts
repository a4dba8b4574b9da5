// Kubernetes' own programs, built from its Go module and kept by version. The module's go.mod
// replaces its staging modules by directories; a dependency's replacements do not count, so a
// module of ours repeats them with the versions that are published.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../lab/run.ts'
import { KUBERNETES_VERSION, kubernetesCache } from './paths.ts'

/** What a cluster runs, the one others share most with first. */
export const PROGRAMS = {
  'kube-apiserver': 'cmd/kube-apiserver',
  'kube-controller-manager': 'cmd/kube-controller-manager',
  'kube-scheduler': 'cmd/kube-scheduler',
  kubelet: 'cmd/kubelet',
  kubectl: 'cmd/kubectl',
} as const

/** What the benches measure beside. */
export const PROXY_PROGRAMS = { 'kube-proxy': 'cmd/kube-proxy' } as const

/** Images of Kubernetes' tests. */
export const TEST_PROGRAMS = {
  agnhost: 'test/images/agnhost',
  'regression-issue-74839': 'test/images/regression-issue-74839',
} as const

/** Builds Kubernetes' tests and their runner; the directory of the programs. */
export async function buildTests(cache: string, say: (line: string) => void): Promise<string> {
  const bin = await buildKubernetes(cache, say, TEST_PROGRAMS)
  const { module } = kubernetesCache(cache)
  const suite = join(bin, 'e2e.test')
  if (!existsSync(suite)) {
    say(`Building e2e.test ${KUBERNETES_VERSION}, once`)
    const args = ['test', '-c', '-vet=off', '-trimpath', '-ldflags', linkerFlags()]
    await go('build e2e.test', module, [
      ...args,
      '-o',
      `${suite}.new`,
      'k8s.io/kubernetes/test/e2e',
    ])
    renameSync(`${suite}.new`, suite)
  }
  const runner = join(bin, 'ginkgo')
  if (!existsSync(runner)) {
    const args = ['build', '-trimpath', '-o', runner, 'github.com/onsi/ginkgo/v2/ginkgo']
    await go('build ginkgo', module, args)
  }
  return bin
}

/** Directory of Kubernetes' sources, as the module cache has them. */
export async function kubernetesSources(cache: string): Promise<string> {
  const args = ['list', '-m', '-f', '{{.Dir}}', 'k8s.io/kubernetes']
  return (await go('find the sources', kubernetesCache(cache).module, args)).trim()
}

/** A program of a module of its own, whose go.mod needs no repeating. */
export interface OtherProgram {
  readonly name: string
  readonly version: string
  readonly module: string
  /** Of the program within the module; absent: its root. */
  readonly path?: string
}

/** The etcd and CoreDNS that Kubernetes 1.36 names. */
export const ETCD = { name: 'etcd', version: '3.6.8', module: 'go.etcd.io/etcd/server/v3' } as const
export const COREDNS = {
  name: 'coredns',
  version: '1.14.2',
  module: 'github.com/coredns/coredns',
} as const

/** The thin plugin, which runs other plugins for several interfaces of a pod. */
export const MULTUS = {
  name: 'multus',
  version: '4.2.3',
  module: 'gopkg.in/k8snetworkplumbingwg/multus-cni.v4',
  path: 'cmd/multus',
} as const

/** What places it on a node. */
export const MULTUS_ENTRYPOINT = {
  ...MULTUS,
  name: 'thin_entrypoint',
  path: 'cmd/thin_entrypoint',
} as const

/** NetworkPolicies by iptables and ipsets, which the benches measure beside. */
export const KUBE_ROUTER = {
  name: 'kube-router',
  version: '2.1.0',
  module: 'github.com/cloudnativelabs/kube-router/v2',
  path: 'cmd/kube-router',
} as const

const HOUR_MS = 3_600_000
/** The Go that Kubernetes' go.mod names. */
const GO = '1.26'

/** Builds what the cache lacks, with the least priority; the directory of the programs. */
export async function buildKubernetes(
  cache: string,
  say: (line: string) => void,
  programs: Readonly<Record<string, string>> = PROGRAMS,
): Promise<string> {
  const { module, bin } = kubernetesCache(cache)
  const missing = Object.entries(programs).filter(([name]) => !existsSync(join(bin, name)))
  if (missing.length === 0) return bin
  await checkGo()
  mkdirSync(module, { recursive: true })
  mkdirSync(bin, { recursive: true })
  if (!existsSync(join(module, 'go.mod'))) await writeModule(module)
  for (const [name, path] of missing) {
    say(`Building ${name} ${KUBERNETES_VERSION}, once; the first takes many minutes`)
    const built = join(bin, `${name}.new`)
    const args = ['build', '-trimpath', '-ldflags', linkerFlags(), '-o', built]
    await go(`build ${name}`, module, [...args, `k8s.io/kubernetes/${path}`])
    renameSync(built, join(bin, name))
  }
  return bin
}

/** Builds a program once; its path. */
export async function buildOther(
  cache: string,
  say: (line: string) => void,
  { name, version, module, path }: OtherProgram,
): Promise<string> {
  const directory = join(cache, `${name}-v${version}`)
  const program = join(directory, 'bin', name)
  if (existsSync(program)) return program
  await checkGo()
  const work = join(directory, 'module')
  mkdirSync(work, { recursive: true })
  mkdirSync(join(directory, 'bin'), { recursive: true })
  say(`Building ${name} ${version}, once`)
  if (!existsSync(join(work, 'go.mod'))) {
    await go(`begin a module for ${name}`, work, ['mod', 'init', `weir-${name}`])
  }
  await go(`fetch ${name}`, work, ['get', `${module}@v${version}`])
  const main = path === undefined ? module : `${module}/${path}`
  const args = ['build', '-trimpath', '-ldflags', '-s -w', '-o', `${program}.new`, main]
  await go(`build ${name}`, work, args)
  renameSync(`${program}.new`, program)
  return program
}

/** Throws unless there is the Go that Kubernetes wants. */
export async function checkGo(): Promise<void> {
  const state = `it needs Go ${GO} in PATH`
  const version = (
    await run('find Go', 'go', ['env', 'GOVERSION']).catch((cause: unknown) => {
      throw new Error(`Cannot build Kubernetes ${KUBERNETES_VERSION}: ${state}`, { cause })
    })
  ).trim()
  const [major = 0, minor = 0] = version.replace('go', '').split('.').map(Number)
  const [neededMajor = 0, neededMinor = 0] = GO.split('.').map(Number)
  if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) return
  throw new Error(`Cannot build Kubernetes ${KUBERNETES_VERSION}: ${state}, this is ${version}`)
}

async function writeModule(module: string): Promise<void> {
  const args = ['mod', 'download', '-json', `k8s.io/kubernetes@v${KUBERNETES_VERSION}`]
  const answer = JSON.parse(await go('fetch Kubernetes', module, args)) as { GoMod: string }
  const text = moduleText(readFileSync(answer.GoMod, 'utf8'), KUBERNETES_VERSION)
  writeFileSync(join(module, 'go.mod'), text)
}

/** Our go.mod, from that of k8s.io/kubernetes. 1.36.2 goes with staging modules of 0.36.2. */
export function moduleText(upstream: string, version: string): string {
  const staging = [...upstream.matchAll(/^\s+(k8s\.io\/\S+) => \.\/staging\//gm)]
  const published = `v0.${version.slice(version.indexOf('.') + 1)}`
  const language = /^go (\S+)$/m.exec(upstream)?.[1] ?? `${GO}.0`
  return [
    ...['module weir-kubernetes', '', `go ${language}`, ''],
    ...[`godebug default=go${GO}`, ''],
    ...[`require k8s.io/kubernetes v${version}`, '', 'replace ('],
    ...staging.map(([, name]) => `\t${name} => ${name} ${published}`),
    ...[')', ''],
  ].join('\n')
}

function linkerFlags(): string {
  const [major, minor] = KUBERNETES_VERSION.split('.')
  const component = 'k8s.io/component-base/version'
  const facts = [
    [`${component}.gitVersion`, `v${KUBERNETES_VERSION}`],
    [`${component}.gitMajor`, major],
    [`${component}.gitMinor`, minor],
    ['k8s.io/client-go/pkg/version.gitVersion', `v${KUBERNETES_VERSION}`],
  ]
  return ['-s -w', ...facts.map(([name, value]) => `-X ${name}=${value}`)].join(' ')
}

function go(verb: string, module: string, args: readonly string[]): Promise<string> {
  const env = { GOFLAGS: '-mod=mod', CGO_ENABLED: '0', PWD: module }
  const script = 'cd "$0" && exec nice -n 19 go "$@"'
  return run(verb, 'sh', ['-c', script, module, ...args], { env, timeoutMs: 2 * HOUR_MS })
}
