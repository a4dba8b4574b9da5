// Endpoints on disk, one file each, named by the endpoint's id. Calls are synchronous: a few small
// writes cost less than the way through libuv's pool. Nothing is fsynced: losing power ends the
// pods as well.
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { parseAddress } from '../net/address.ts'
import { parseMac } from '../net/mac.ts'
import type { Endpoint } from '../tables/intent.ts'
import { parseBandwidthRow } from './bandwidth.ts'
import { parseHostPorts } from './host-ports.ts'
import type { Cursors } from './ipam.ts'
import { asArray, asObject, asString, type JsonObject } from './json.ts'

/** Where the searches for a free address and a free id go on after a restart. */
export interface Positions {
  readonly addresses: Cursors
  readonly endpointId: number
}

export interface StoreOptions {
  readonly stateDir: string
  readonly log: Logger
  /** Tells one boot of the machine from the next. */
  readonly bootId?: string
}

export class EndpointStore {
  readonly #dir: string
  readonly #positionsPath: string
  readonly #log: Logger
  readonly #bootId: string
  #positionsFd: number | undefined
  /** Longest text written so far. */
  #positionsLength = 0

  constructor({ stateDir, log, bootId = readBootId() }: StoreOptions) {
    this.#dir = join(stateDir, 'endpoints')
    this.#positionsPath = join(stateDir, 'positions.json')
    this.#log = log
    this.#bootId = bootId
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 })
  }

  /**
   * Every endpoint of this boot, by id. A file that cannot be read is moved aside and named in a
   * warning; those of an earlier boot are removed, for no namespace survives one.
   */
  load(): Endpoint[] {
    const endpoints: Endpoint[] = []
    let stale = 0
    for (const name of readdirSync(this.#dir)) {
      const path = join(this.#dir, name)
      if (name.endsWith('.tmp')) rmSync(path, { force: true })
      if (!name.endsWith('.json')) continue
      try {
        const { bootId, endpoint } = parseFile(readFileSync(path, 'utf8'))
        if (name !== `${endpoint.id}.json`) throw new Error(`it holds endpoint ${endpoint.id}`)
        if (bootId === this.#bootId) endpoints.push(endpoint)
        else {
          rmSync(path, { force: true })
          stale++
        }
      } catch (err) {
        this.#log.warn({ err, path }, 'endpoint file is unreadable and was moved aside')
        renameSync(path, `${path}.bad`)
      }
    }
    if (stale > 0) this.#log.info({ endpoints: stale }, 'endpoints of an earlier boot were removed')
    return endpoints.sort((a, b) => a.id - b.id)
  }

  save(endpoint: Endpoint): void {
    const path = this.#pathOf(endpoint.id)
    replaceFile(path, { version: 1, bootId: this.#bootId, endpoint })
  }

  /** Keeps the file for a person to look at, out of our own way. */
  setAside(id: number): void {
    renameSync(this.#pathOf(id), `${this.#pathOf(id)}.bad`)
  }

  remove(id: number): void {
    rmSync(this.#pathOf(id), { force: true })
  }

  /** Zero positions when there is no readable file: then searches begin at the beginning. */
  loadPositions(): Positions {
    try {
      const text = readFileSync(this.#positionsPath, 'utf8')
      this.#positionsLength = text.length
      const file = asObject(JSON.parse(text))
      const addresses = Object.entries(asObject(file?.['addresses']) ?? {})
      return {
        addresses: Object.fromEntries(
          addresses.map(([cidr, address]) => [cidr, parseAddress(asString(address))]),
        ),
        endpointId: Math.trunc(Number(file?.['endpointId'])) || 0,
      }
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code !== 'ENOENT') {
        const path = this.#positionsPath
        this.#log.warn({ err, path }, 'allocation positions are unreadable, starting over')
      }
      return { addresses: {}, endpointId: 0 }
    }
  }

  /**
   * Overwrites in place with one short write, padded so that no longer text shows through:
   * replacing or truncating a file costs ext4 a flush of half a millisecond (auto_da_alloc).
   */
  savePositions(positions: Positions): void {
    const text = `${JSON.stringify(positions)}\n`
    this.#positionsFd ??= openSync(this.#positionsPath, constants.O_RDWR | constants.O_CREAT, 0o600)
    this.#positionsLength = Math.max(this.#positionsLength, text.length)
    writeSync(this.#positionsFd, text.padEnd(this.#positionsLength), 0)
  }

  close(): void {
    if (this.#positionsFd !== undefined) closeSync(this.#positionsFd)
    this.#positionsFd = undefined
  }

  #pathOf(id: number): string {
    return join(this.#dir, `${id}.json`)
  }
}

function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

/** A reader sees the old file or the new one, also when we are killed in between. */
function replaceFile(path: string, content: object): void {
  const temporary = `${path}.tmp`
  writeFileSync(temporary, `${JSON.stringify(content)}\n`, { mode: 0o600 })
  renameSync(temporary, path)
}

function parseFile(text: string): { bootId: string; endpoint: Endpoint } {
  const file = asObject(JSON.parse(text))
  const row = asObject(file?.['endpoint'])
  if (!file || !row) throw new Error('it holds no endpoint')
  if (file['version'] !== 1) throw new Error(`its version is ${file['version']}, not 1`)
  return { bootId: asString(file['bootId']), endpoint: parseEndpoint(row) }
}

function parseEndpoint(row: JsonObject): Endpoint {
  const text = (name: string): string => {
    const value = row[name]
    if (typeof value !== 'string') throw new Error(`its ${name} is no string`)
    return value
  }
  const number = (name: string, max: number): number => {
    const value = row[name]
    if (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= max) return Number(value)
    throw new Error(`its ${name} is not a number from 1 to ${max}`)
  }
  const addresses = (asArray(row['addresses']) ?? []).map((item) => parseAddress(asString(item)))
  if (addresses.length === 0) throw new Error('it has no addresses')
  const bandwidth = parseBandwidthRow(row['bandwidth'])
  return {
    id: number('id', 65_535),
    containerId: text('containerId'),
    ifName: text('ifName'),
    netns: text('netns'),
    podNamespace: text('podNamespace'),
    podName: text('podName'),
    podUid: text('podUid'),
    addresses,
    mac: parseMac(text('mac')),
    hostIfName: text('hostIfName'),
    hostMac: parseMac(text('hostMac')),
    mtu: number('mtu', 65_535),
    network: text('network'),
    // Files of versions that did not know these have none.
    hostPorts: parseHostPorts(row['hostPorts']),
    ...(bandwidth && { bandwidth }),
  }
}
