// Builds images from Dockerfiles without an engine and without a registry: buildah and mmdebstrap
// of Debian's packages, in a mount namespace where these lie over this machine's /usr, so that
// nothing is installed and no mount stays. Steps run in a chroot with this machine's network.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { run, runAnyway } from '../lab/run.ts'
import { fullName } from './image-names.ts'
import { unpackPackages } from './packages.ts'

/** With the libraries that a machine need not have. */
const PACKAGES = [
  ...['buildah', 'libassuan0', 'libdevmapper1.02.1', 'libgpgme11', 'libseccomp2'],
  ...['golang-github-containers-common', 'mmdebstrap'],
]

/** What Dockerfiles begin with; made here, for no registry is asked. */
export const BASE_IMAGE = 'debian:12-slim'
const BASE_SUITE = 'bookworm'

/** Builds leave a layer for each step; beyond this many the next begins with none. */
const KEPT_LAYERS = 500
const BUILD_MS = 1_800_000

export interface Builder {
  /** Root of the unpacked packages. */
  readonly tools: string
  /** Of layers, and of the mounts of a single run. */
  readonly storage: string
  readonly mounts: string
  /** The home directory of steps: this machine's settings of npm, and what npm has downloaded. */
  readonly home: string
}

export interface Recipe {
  /** With a tag. */
  readonly name: string
  /** The Dockerfile's text. */
  readonly dockerfile: string
  /** Directory that it copies from. */
  readonly context: string
}

/** Unpacks what builds, and makes the base image once. */
export async function prepareBuilder(cache: string, say: (line: string) => void): Promise<Builder> {
  const at = (name: string): string => join(cache, 'images', name)
  const tools = await unpackPackages(cache, PACKAGES)
  const builder = { tools, storage: at('storage'), mounts: at('mounts'), home: at('home') }
  const layers = join(builder.storage, 'overlay')
  if (existsSync(layers) && readdirSync(layers).length > KEPT_LAYERS) {
    rmSync(builder.storage, { recursive: true })
  }
  for (const name of ['storage', 'mounts', 'home']) mkdirSync(at(name), { recursive: true })
  writeSettings(builder.home, await run('read npm settings', 'npm', ['config', 'list', '--json']))
  await makeBase(builder, say)
  return builder
}

/** Builds what changed since, and writes the image as an archive that containerd imports. */
export async function buildImage(builder: Builder, recipe: Recipe, archive: string): Promise<void> {
  mkdirSync(dirname(archive), { recursive: true })
  const { name } = recipe
  const file = `${archive}.Dockerfile`
  writeFileSync(file, recipe.dockerfile)
  const build = ['bud', '--isolation', 'chroot', '--pull-never', '--layers']
  const home = ['--volume', `${builder.home}:/root`]
  await buildah(builder, `build ${name}`, [
    ...[...build, ...policy(builder), ...home, '-f', file],
    ...['-t', fullName(name), recipe.context],
  ])
  rmSync(file)
  const [written, target] = [`${archive}.new`, fullName(name)]
  rmSync(written, { force: true })
  const push = [
    'push',
    '--quiet',
    ...policy(builder),
    target,
    `docker-archive:${written}:${target}`,
  ]
  await buildah(builder, `write ${name}`, push)
  renameSync(written, archive)
}

/** A Dockerfile of one static program. */
export function programRecipe(name: string, path: string): Recipe {
  const program = basename(path)
  const steps = ['FROM scratch', `COPY ${program} /`, `ENTRYPOINT ["/${program}"]`]
  return { name, dockerfile: steps.join('\n'), context: dirname(path) }
}

/** Packages as this machine gets them; less documentation, as in the image of that name. */
async function makeBase(builder: Builder, say: (line: string) => void): Promise<void> {
  const named = await buildah(builder, 'list images', ['images', '--format', '{{.Name}}:{{.Tag}}'])
  if (named.split('\n').includes(fullName(BASE_IMAGE))) return
  say(`Making ${BASE_IMAGE} of packages, once`)
  const work = join(builder.storage, 'base')
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work)
  const line = 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)'
  const targets = ['indextargets', '--format', line, 'Created-By: Packages', 'Origin: Debian']
  const sources = join(work, 'sources.list')
  writeFileSync(sources, await run('read the sources of apt', 'apt-get', targets))
  const left = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*']
  const rules = left.map((path) => `path-exclude=${path}\\n`).join('')
  const options = join(work, 'apt.conf')
  writeFileSync(options, aptOptionsOf(await run('read the options of apt', 'apt-config', ['dump'])))
  await inBuilder(builder, `make ${BASE_IMAGE}`, [
    ...['mmdebstrap', '--quiet', '--mode=root', '--variant=minbase'],
    ...[`--aptopt=${options}`, '--dpkgopt=force-unsafe-io'],
    `--customize-hook=cd "$1" && rm -r ${left.map((path) => `.${path}`).join(' ')}`,
    `--customize-hook=printf '${rules}' >"$1/etc/dpkg/dpkg.cfg.d/slim"`,
    ...[BASE_SUITE, join(work, 'debian.tar'), sources],
  ])
  const dockerfile = 'FROM scratch\nADD debian.tar /\nCMD ["bash"]\n'
  const recipe = { name: BASE_IMAGE, dockerfile, context: work }
  await buildImage(builder, recipe, join(work, 'archive.tar'))
  rmSync(work, { recursive: true })
}

/** How this machine reaches its sources, and how old they may be; of all that apt says. Pure. */
export function aptOptionsOf(dump: string): string {
  const kept = /^Acquire::(Check-\S+|Retries|https?::(\S+::)?Proxy\S*) .*\n/gm
  return (dump.match(kept) ?? []).join('')
}

/** Where npm gets packages from is this machine's to say, and stays out of images. */
function writeSettings(home: string, settings: string): void {
  const config = JSON.parse(settings) as Readonly<Record<string, unknown>>
  if (typeof config['cafile'] === 'string') copyFileSync(config['cafile'], join(home, 'ca.crt'))
  writeFileSync(join(home, '.npmrc'), npmrcOf(config))
}

/** The .npmrc of steps, whose home has a copy of the authorities. Pure. */
export function npmrcOf(config: Readonly<Record<string, unknown>>): string {
  const kept = ['registry', 'proxy', 'https-proxy'].filter((key) => config[key])
  const lines = kept.map((key) => `${key}=${config[key]}\n`)
  return [...lines, ...(config['cafile'] ? ['cafile=~/ca.crt\n'] : [])].join('')
}

function policy({ tools }: Builder): string[] {
  return ['--signature-policy', join(tools, 'etc/containers/policy.json')]
}

function buildah(builder: Builder, verb: string, args: readonly string[]): Promise<string> {
  const { storage, mounts } = builder
  const places = ['--root', storage, '--runroot', mounts, '--storage-driver', 'overlay']
  return inBuilder(builder, verb, ['buildah', ...places, ...args])
}

/** What a run notes of its mounts goes with them. */
const SCRIPT = [
  'mount -t overlay -o "lowerdir=$0/usr:/usr" weir /usr',
  'mount -t overlay -o "lowerdir=$0/lib:/usr/lib" weir /usr/lib',
  'mount -t tmpfs weir "$1"',
  ...['shift', 'exec nice -n 19 "$@" 2>&1'],
].join('\n')

/** What the command said; when it fails, as much of it as tells of a step that failed. */
async function inBuilder(
  { tools, mounts }: Builder,
  verb: string,
  command: readonly string[],
): Promise<string> {
  const enter = ['--mount', '--propagation', 'private', 'sh', '-ec', SCRIPT, tools, mounts]
  const options = { timeoutMs: BUILD_MS }
  const { code, stdout, stderr } = await runAnyway('unshare', [...enter, ...command], options)
  if (code === 0) return stdout
  const said = `${stdout}${stderr}`.trimEnd().split('\n').slice(-12).join('\n')
  throw new Error(`Cannot ${verb}: ${said || `it ended with code ${code}`}`)
}
