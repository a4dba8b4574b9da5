// Images that Kubernetes' tests ask for, made here under the names that the tests use: agnhost with
// Debian's tools stands in for most of them.
import {
  cpSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { builtProgram } from '../lab/paths.ts'
import { run } from '../lab/run.ts'
import { buildOther, COREDNS, kubernetesSources } from './build.ts'
import { packImage } from './image.ts'
import { importImages } from './node.ts'
import { unpackPackages, withDependencies } from './packages.ts'
import { cacheDirectory, clusterPaths } from './paths.ts'
import type { ClusterRecord } from './record.ts'

/** Images that the tests ask for and that agnhost with tools stands in for. */
const TOOLS_IMAGES = ['agnhost', 'glibc-dns-testing', 'distroless-iptables', 'busybox', 'nginx']
const REGRESSION = 'regression-issue-74839'

/** What the tests run inside agnhost's image. */
const TOOLS = [
  ...['bash', 'dash', 'coreutils', 'grep', 'sed', 'mawk', 'procps', 'util-linux', 'base-files'],
  ...['curl', 'wget', 'netcat-openbsd', 'iproute2', 'bind9-dnsutils', 'iputils-ping', 'conntrack'],
  ...['libc-bin', 'hostname', 'iperf', 'tcpdump'],
]

/** Packs and imports once in a cluster's life. */
export async function provideTestImages(
  { nodes }: ClusterRecord,
  bin: string,
  say: (line: string) => void,
): Promise<void> {
  const images = join(clusterPaths().images, 'e2e')
  if (existsSync(images)) return
  say('Packing the images of the tests')
  const packing = `${images}.new`
  rmSync(packing, { recursive: true, force: true })
  await packTestImages(bin, packing)
  for (const { pid } of nodes) await importImages(packing, pid, 'e2e.new')
  renameSync(packing, images)
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
  await packOne('pause', builtProgram('weir-init'))
  await packOne(REGRESSION, join(bin, REGRESSION))
  async function packOne(name: string, program: string): Promise<void> {
    const directory = join(images, `${name}.root`)
    mkdirSync(directory)
    cpSync(program, join(directory, name))
    const named = { names: imagesNamed(listed, [name]), root: directory, entrypoint: [`/${name}`] }
    await packImage(named, join(images, `${name}.tar`))
    rmSync(directory, { recursive: true })
  }
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
