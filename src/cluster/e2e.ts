// Kubernetes' own tests (e2e.test of the cluster's version) against the running cluster. Their
// images are made here, under the names that the tests ask for.
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { builtProgram } from '../lab/paths.ts'
import { exitOf } from '../lab/place.ts'
import { run } from '../lab/run.ts'
import { buildOther, buildTests, COREDNS, kubernetesSources } from './build.ts'
import { packImage } from './image.ts'
import { importImages } from './node.ts'
import { unpackPackages, withDependencies } from './packages.ts'
import { cacheDirectory, clusterPaths } from './paths.ts'
import { readRecord } from './record.ts'

export interface E2eOptions {
  /** Regular expressions over the tests' names. */
  readonly focus: string
  readonly skip: string
  readonly processes: number
  /** Where the JUnit report goes. */
  readonly reports: string
  readonly say: (line: string) => void
}

/** Images that the tests ask for and that agnhost with tools stands in for; and those that wait. */
const TOOLS_IMAGES = ['agnhost', 'glibc-dns-testing', 'distroless-iptables']
const PAUSE_IMAGES = ['pause']

/** What the tests run inside agnhost's image. */
const TOOLS = [
  ...['bash', 'dash', 'coreutils', 'grep', 'sed', 'mawk', 'procps', 'util-linux', 'base-files'],
  ...['curl', 'wget', 'netcat-openbsd', 'iproute2', 'bind9-dnsutils', 'iputils-ping', 'conntrack'],
]

/** Runs the tests with this terminal; the exit code of their runner. */
export async function e2e(options: E2eOptions): Promise<number> {
  const record = readRecord(clusterPaths().record)
  const bin = await buildTests(cacheDirectory(), options.say)
  const images = join(clusterPaths().images, 'e2e')
  if (!existsSync(images)) {
    options.say('Packing the images of the tests')
    await packTestImages(bin, images)
    for (const { pid } of record.nodes) await importImages(images, pid, 'e2e')
  }
  mkdirSync(options.reports, { recursive: true })
  const runner = ['run', `--procs=${options.processes}`, '--no-color', '--silence-skips']
  const selection = [`--focus=${options.focus}`, `--skip=${options.skip}`]
  const suite = [
    ...[`--kubeconfig=${clusterPaths().kubeconfig}`, `--kubectl-path=${join(bin, 'kubectl')}`],
    ...['--provider=skeleton', `--num-nodes=${record.nodes.length}`],
    `--report-dir=${options.reports}`,
  ]
  const args = [...runner, ...selection, join(bin, 'e2e.test'), '--', ...suite]
  return exitOf(spawn(join(bin, 'ginkgo'), args, { stdio: 'inherit' }))
}

async function packTestImages(bin: string, images: string): Promise<void> {
  const listed = await run('list images', join(bin, 'e2e.test'), ['--list-images'])
  mkdirSync(images, { recursive: true })
  const packages = await unpackPackages(cacheDirectory(), await withDependencies(TOOLS))
  const root = join(images, 'tools.root')
  await run('copy packages', 'cp', ['-a', packages, root])
  await addAgnhost(root, bin)
  finishPackages(root)
  const tools = {
    names: imagesNamed(listed, TOOLS_IMAGES),
    root,
    entrypoint: ['/agnhost'],
    command: ['pause'],
  }
  const environment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' }
  await packImage({ ...tools, environment }, join(images, 'tools.tar'))
  rmSync(root, { recursive: true })
  const pause = join(images, 'pause.root')
  mkdirSync(pause)
  cpSync(builtProgram('weir-init'), join(pause, 'pause'))
  const archive = join(images, 'pause.tar')
  const names = imagesNamed(listed, PAUSE_IMAGES)
  await packImage({ names, root: pause, entrypoint: ['/pause'] }, archive)
  rmSync(pause, { recursive: true })
}

/** As its own Dockerfile does. */
async function addAgnhost(root: string, bin: string): Promise<void> {
  cpSync(join(bin, 'agnhost'), join(root, 'agnhost'))
  symlinkSync('agnhost', join(root, 'agnhost-2'))
  cpSync(await buildOther(cacheDirectory(), () => {}, COREDNS), join(root, 'coredns'))
  mkdirSync(join(root, 'uploads'))
  const sources = await kubernetesSources(cacheDirectory())
  for (const file of ['localhost.crt', 'localhost.key']) {
    cpSync(join(sources, 'test/images/agnhost/porter', file), join(root, file))
  }
}

/** The full names, with registry and tag, of images by their last part. Pure. */
export function imagesNamed(listed: string, wanted: readonly string[]): string[] {
  const names = listed.split('\n').map((line) => line.trim())
  return names.filter((name) => wanted.some((each) => name.includes(`/${each}:`)))
}

/** What the packages' scripts would have done, had they been installed. */
function finishPackages(root: string): void {
  const links = { 'bin/sh': 'dash', 'bin/nc': 'nc.openbsd', 'usr/bin/awk': 'mawk' }
  for (const [path, target] of Object.entries(links)) {
    rmSync(join(root, path), { force: true })
    symlinkSync(target, join(root, path))
  }
  mkdirSync(join(root, 'tmp'), { recursive: true, mode: 0o777 })
  const users = ['root:x:0:0:root:/root:/bin/bash', 'nobody:x:65534:65534:nobody:/:/bin/false']
  writeFileSync(join(root, 'etc/passwd'), `${users.join('\n')}\n`)
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n')
}
