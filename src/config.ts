// The agent's settings: flags, or WEIR_* in the environment, into one frozen Config. A flag wins
// over the environment. Everything wrong is reported at once, because a DaemonSet shows one log
// at a time.
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { Command, CommanderError, Option } from 'commander'
import { LOG_LEVELS, type LogLevel } from './observe/log.ts'
import { readServiceConfig, type ServiceConfig } from './service-config.ts'
import { type Listen, SettingTexts } from './setting-texts.ts'
import { BALANCINGS, FORWARDINGS } from './tables/services.ts'

export type RoutingMode = 'auto' | 'vxlan' | 'native'

export interface Config extends ServiceConfig {
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
  readonly http: Listen
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

const BOOLEAN = ['true', 'false']
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
    choices: BOOLEAN,
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
  {
    flag: 'balancing WAY',
    text: 'how a Service chooses an endpoint, unless it says so itself',
    fallback: 'random',
    choices: BALANCINGS,
  },
  {
    flag: 'forwarding WAY',
    text: 'how what comes from outside gets to another node',
    fallback: 'snat',
    choices: FORWARDINGS,
  },
  { flag: 'max-frontends COUNT', text: 'addresses and ports of Services (default: as compiled)' },
  { flag: 'max-backends COUNT', text: 'slots of endpoints (default: as compiled)' },
  { flag: 'maglev-size SLOTS', text: 'slots of a Maglev table, a prime', fallback: '1021' },
  {
    flag: 'xdp MODE',
    text: 'Services in XDP on the uplinks',
    fallback: 'auto',
    choices: ['auto', 'native', 'generic', 'off'],
  },
  { flag: 'nodeport-addresses CIDRS', text: 'of NodePorts, or primary (default: all)' },
  {
    flag: 'nodeport-localhost BOOL',
    text: 'NodePorts on 127.0.0.1 and ::1 too',
    fallback: 'false',
    choices: BOOLEAN,
  },
  { flag: 'external-ips BOOL', text: 'serve externalIPs', fallback: 'true', choices: BOOLEAN },
  {
    flag: 'masquerade BOOL',
    text: 'pods leave the cluster with the address of the node',
    fallback: 'true',
    choices: BOOLEAN,
  },
  { flag: 'masquerade-config PATH', text: 'what is not masqueraded, as ip-masq-agent has it' },
  { flag: 'masquerade-ports RANGE', text: 'ports on the node for it', fallback: '16384-29999' },
  { flag: 'healthz ADDR:PORT', text: '/healthz for load balancers', fallback: '[::]:10256' },
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

function validate(given: ReadonlyMap<string, string>): Config {
  const texts = new SettingTexts(given)
  for (const { flag, choices } of SETTINGS) {
    const name = flag.slice(0, flag.indexOf(' '))
    if (choices && texts.has(name) && !choices.includes(texts.text(name))) {
      texts.wrong(name, `must be one of ${choices.join(', ')}`)
    }
  }
  const config = {
    ...readSource(texts),
    bpfRoot: texts.path('bpf-root') ?? '',
    stateDir: texts.path('state-dir') ?? '',
    runDir: texts.path('run-dir') ?? '',
    ...optional('cniConfDir', texts.path('cni-conf-dir')),
    cgroupRoot: texts.path('cgroup-root') ?? '',
    routing: texts.text('routing') as RoutingMode,
    socketServices: texts.flag('socket-services'),
    http: texts.listen('http'),
    object: texts.path('object') ?? '',
    logLevel: texts.text('log-level') as LogLevel,
    uplinks: texts.list('uplink'),
    overlayPort: texts.integer('overlay-port', 1, 65_535) ?? 0,
    overlayVni: texts.integer('overlay-vni', 1, 0xffffff) ?? 0,
    ...optional('mtu', texts.integer('mtu', 576, 65_535)),
    ffi: texts.text('ffi') as Config['ffi'],
    ...optional('library', texts.path('library')),
    ...optional('maxFlows', texts.integer('max-flows', 1024, 1 << 26)),
    resyncSeconds: texts.integer('resync-seconds', 1, 86_400) ?? 0,
    ...readServiceConfig(texts),
  }
  if (config.uplinks.some((name) => name.length > 15 || /[\s/]/.test(name))) {
    texts.wrong('uplink', 'not a list of device names')
  }
  if (texts.errors.length > 0) throw new ConfigError(texts.errors.join('\n'))
  return Object.freeze(config)
}

/** Which Node this is and where the cluster's wishes come from. */
function readSource(
  texts: SettingTexts,
): Pick<Config, 'nodeName' | 'manifests' | 'apiServers' | 'kubeconfig'> {
  const nodeName = texts.text('node-name')
  if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(nodeName)) {
    texts.wrong('node-name', 'must be a DNS name in lower case')
  }
  const apiServers = texts.list('api-server')
  if (!apiServers.every((url) => /^https?:\/\/[^/\s]+\/?$/.test(url) && URL.canParse(url))) {
    texts.wrong('api-server', 'must be URLs like https://10.0.0.1:6443, comma separated')
  }
  const asksApiServer = apiServers.length > 0 || texts.has('kubeconfig')
  if (texts.has('manifests') && asksApiServer) {
    texts.wrong('manifests', 'cannot be given together with --api-server or --kubeconfig')
  }
  return {
    nodeName,
    ...optional('manifests', texts.path('manifests')),
    apiServers,
    ...optional('kubeconfig', texts.path('kubeconfig')),
  }
}

function optional<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { [name in Name]?: Value } {
  return (value === undefined ? {} : { [name]: value }) as { [name in Name]?: Value }
}
