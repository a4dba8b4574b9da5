// The agent's settings: flags, or WEIR_* in the environment, into one frozen Config. A flag wins
// over the environment. Everything wrong is reported at once, because a DaemonSet shows one log
// at a time.
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { Command, CommanderError, Option } from 'commander'
import { LOG_LEVELS, type LogLevel } from './observe/log.ts'

export type RoutingMode = 'auto' | 'vxlan' | 'native'

export interface Config {
  readonly nodeName: string
  /** A directory of Kubernetes YAML to run from; absent: the API server is asked. */
  readonly manifests?: string
  /** URLs of API servers, tried in order; empty: found by itself. */
  readonly apiServers: readonly string[]
  readonly kubeconfig?: string
  /** A directory on a bpffs: maps/ and links/ are made in it. */
  readonly bpfRoot: string
  readonly stateDir: string
  readonly runDir: string
  /** Where the runtime looks for its network; absent: somebody else writes the conflist. */
  readonly cniConfDir?: string
  /** Root of the cgroup2 hierarchy whose sockets get service translation. */
  readonly cgroupRoot: string
  readonly routing: RoutingMode
  readonly socketServices: boolean
  readonly http: { readonly host: string; readonly port: number }
  readonly object: string
  readonly logLevel: LogLevel
  /** Devices towards the other nodes; empty: the device of the default route. */
  readonly uplinks: readonly string[]
  readonly overlayPort: number
  readonly overlayVni: number
  /** MTU of pods in bytes; absent: derived from the uplink. */
  readonly mtu?: number
  readonly ffi: 'koffi' | 'ffi-napi'
  /** Path of libweir.so; absent: where the build puts it. */
  readonly library?: string
  /** Connections the flow table has room for (two entries each); absent: as compiled. */
  readonly maxFlows?: number
  /** Seconds between full resyncs, which repair what somebody else changed. */
  readonly resyncSeconds: number
}

/** A settings error a person can act on; `message` has one line for each thing wrong. */
export class ConfigError extends Error {}

interface Setting {
  readonly flag: string
  readonly text: string
  readonly fallback?: string
  readonly choices?: readonly string[]
}

const here = (path: string): string => resolve(import.meta.dirname, '..', path)

const SETTINGS: readonly Setting[] = [
  { flag: 'node-name NAME', text: 'name of this Node', fallback: hostname() },
  { flag: 'manifests DIR', text: 'directory of Kubernetes YAML to run from, not an API server' },
  { flag: 'api-server URLS', text: 'API servers, comma separated (default: found by itself)' },
  { flag: 'kubeconfig PATH', text: 'kubeconfig for the API server' },
  { flag: 'bpf-root DIR', text: 'directory on a bpffs for pins', fallback: '/sys/fs/bpf/weir' },
  { flag: 'state-dir DIR', text: 'endpoints and addresses live here', fallback: '/var/lib/weir' },
  { flag: 'run-dir DIR', text: 'weir.sock lives here', fallback: '/run/weir' },
  { flag: 'cni-conf-dir DIR', text: 'write the conflist here once pods can be taken' },
  { flag: 'cgroup-root DIR', text: 'root of cgroup2', fallback: '/sys/fs/cgroup' },
  {
    flag: 'routing MODE',
    text: 'how packets reach other nodes',
    fallback: 'auto',
    choices: ['auto', 'vxlan', 'native'],
  },
  {
    flag: 'socket-services BOOL',
    text: 'translate Services at connect()',
    fallback: 'true',
    choices: ['true', 'false'],
  },
  { flag: 'http ADDR:PORT', text: '/healthz and /metrics', fallback: '127.0.0.1:9464' },
  { flag: 'object PATH', text: 'compiled datapath', fallback: here('bpf/out/weir.bpf.o') },
  { flag: 'log-level LEVEL', text: 'least level logged', fallback: 'info', choices: LOG_LEVELS },
  { flag: 'uplink NAMES', text: 'devices, comma separated (default: of the default route)' },
  { flag: 'overlay-port PORT', text: 'UDP port of VXLAN', fallback: '8472' },
  { flag: 'overlay-vni VNI', text: 'VXLAN network identifier', fallback: '1' },
  { flag: 'mtu BYTES', text: 'MTU of pods (default: derived from the uplink)' },
  { flag: 'ffi ENGINE', text: 'FFI engine', fallback: 'koffi', choices: ['koffi', 'ffi-napi'] },
  { flag: 'library PATH', text: 'path of libweir.so (default: as built)' },
  { flag: 'max-flows COUNT', text: 'connections the flow table holds (default: as compiled)' },
  { flag: 'resync-seconds SECONDS', text: 'time between full resyncs', fallback: '120' },
]

/** `argv` is without the words node and script. Throws ConfigError; --help prints and exits. */
export function readConfig(argv: readonly string[], env: NodeJS.ProcessEnv): Config {
  const command = new Command('weir-agent').description('Weir node agent')
  for (const { flag, text, fallback, choices } of SETTINGS) {
    const note = choices ? `${text} (${choices.join(', ')})` : text
    command.addOption(
      new Option(`--${flag.replace(/ (.*)/, ' <$1>')}`, note).default(undefined, fallback),
    )
  }
  command.allowExcessArguments(false).configureOutput({ writeErr: () => {} })
  command.exitOverride()
  try {
    command.parse([...argv], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) process.exit(0)
    throw new ConfigError(`Cannot start the agent: ${error.message.replace(/^error: /, '')}`, {
      cause: error,
    })
  }
  return validate(collect(command.opts(), env))
}

/** Text of every setting by flag name: flag, else environment, else default. */
function collect(flags: Record<string, string>, env: NodeJS.ProcessEnv): Map<string, string> {
  const texts = new Map<string, string>()
  for (const { flag, fallback } of SETTINGS) {
    const name = flag.slice(0, flag.indexOf(' '))
    const camel = name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())
    const named = env[`WEIR_${name.replaceAll('-', '_').toUpperCase()}`]
    // As manifests of DaemonSets pass it down from spec.nodeName.
    const passedDown = name === 'node-name' ? env['NODE_NAME'] : undefined
    const text = flags[camel] ?? named ?? passedDown ?? fallback
    if (text !== undefined && text !== '') texts.set(name, text)
  }
  return texts
}

function validate(texts: ReadonlyMap<string, string>): Config {
  const errors: string[] = []
  const wrong = (name: string, state: string): void => {
    errors.push(`Cannot use --${name} "${texts.get(name) ?? ''}": ${state}`)
  }
  for (const { flag, choices } of SETTINGS) {
    const name = flag.slice(0, flag.indexOf(' '))
    const text = texts.get(name)
    if (choices && text !== undefined && !choices.includes(text)) {
      wrong(name, `must be one of ${choices.join(', ')}`)
    }
  }
  const integer = (name: string, low: number, high: number): number | undefined => {
    const text = texts.get(name)
    if (text === undefined) return undefined
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= low && value <= high) return value
    wrong(name, `must be a whole number from ${low} to ${high}`)
    return undefined
  }
  const path = (name: string): string | undefined => {
    const text = texts.get(name)
    return text === undefined ? undefined : resolve(text)
  }
  const nodeName = texts.get('node-name') ?? ''
  if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(nodeName)) {
    wrong('node-name', 'must be a DNS name in lower case')
  }
  const http = parseListen(texts.get('http') ?? '')
  if (!http) wrong('http', 'must be of the form ADDRESS:PORT')
  const apiServers = (texts.get('api-server') ?? '').split(',').filter((url) => url !== '')
  if (!apiServers.every((url) => /^https?:\/\/[^/\s]+\/?$/.test(url) && URL.canParse(url))) {
    wrong('api-server', 'must be URLs like https://10.0.0.1:6443, comma separated')
  }
  const asksApiServer = apiServers.length > 0 || texts.has('kubeconfig')
  if (texts.has('manifests') && asksApiServer) {
    wrong('manifests', 'cannot be given together with --api-server or --kubeconfig')
  }
  const uplinks = (texts.get('uplink') ?? '').split(',').filter((name) => name !== '')
  if (uplinks.some((name) => name.length > 15 || /[\s/]/.test(name))) {
    wrong('uplink', 'not a list of device names')
  }
  const config = {
    nodeName,
    ...optional('manifests', path('manifests')),
    apiServers,
    ...optional('kubeconfig', path('kubeconfig')),
    bpfRoot: path('bpf-root') ?? '',
    stateDir: path('state-dir') ?? '',
    runDir: path('run-dir') ?? '',
    ...optional('cniConfDir', path('cni-conf-dir')),
    cgroupRoot: path('cgroup-root') ?? '',
    routing: texts.get('routing') as RoutingMode,
    socketServices: texts.get('socket-services') === 'true',
    http: http ?? { host: '', port: 0 },
    object: path('object') ?? '',
    logLevel: texts.get('log-level') as LogLevel,
    uplinks,
    overlayPort: integer('overlay-port', 1, 65_535) ?? 0,
    overlayVni: integer('overlay-vni', 1, 0xffffff) ?? 0,
    ...optional('mtu', integer('mtu', 576, 65_535)),
    ffi: texts.get('ffi') as Config['ffi'],
    ...optional('library', path('library')),
    ...optional('maxFlows', integer('max-flows', 1024, 1 << 26)),
    resyncSeconds: integer('resync-seconds', 1, 86_400) ?? 0,
  }
  if (errors.length > 0) throw new ConfigError(errors.join('\n'))
  return Object.freeze(config)
}

function optional<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { [name in Name]?: Value } {
  return (value === undefined ? {} : { [name]: value }) as { [name in Name]?: Value }
}

/** "127.0.0.1:9464", "[::1]:9464" or ":9464" (every address). */
function parseListen(text: string): Config['http'] | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (!match || port > 65_535) return undefined
  return { host: match[1] ?? (match[2] || '::'), port }
}
