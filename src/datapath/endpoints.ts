// Keeps the pods' attachments equal to the endpoints table: veth pairs, what is inside the pods,
// the programs, the host routes, and map `endpoints`. A batch goes through its stages together,
// one netlink transaction a stage, so that thirty pods cost little more than one.

import { existsSync } from 'node:fs'
import type { Library } from '../libbpf/library.ts'
import type { Address } from '../net/address.ts'
import { deleteLinks } from '../netlink/link-group.ts'
import { createVeth, deleteLink, linkByName, listLinks } from '../netlink/links.ts'
import type { Request } from '../netlink/message.ts'
import { Netlink } from '../netlink/netlink.ts'
import { defaultsOfOthers } from '../netlink/routes.ts'
import { addRules, deleteRules } from '../netlink/rules.ts'
import { writeSysctl } from '../netlink/sysctl.ts'
import type { Failures, Operations } from '../state/reconciler.ts'
import type { ActualEndpoint } from '../tables/actual.ts'
import type { Endpoint } from '../tables/intent.ts'
import { endpointKey, isSecondary } from '../tables/tables.ts'
import {
  endpointEntry,
  hostRequests,
  type PodPrograms,
  podRequests,
  secondaryRules,
} from './attachment.ts'
import { type EntryMap, writeChanged } from './entry-map.ts'
import type { Gateways } from './gateway.ts'
import type * as layout from './layout.gen.ts'

export type EndpointMap = EntryMap<layout.EndpointKey, layout.Endpoint>

/** Names that are ours to prune; weir_host and its like are not among them. */
export const POD_VETH = /^weir[0-9a-f]{11}$/
/** Interface group of veths being deleted together: "weir". */
const LEAVING_GROUP = 0x77656972
/** Reading all links is cheaper than asking for this many by name. */
const MANY = 8

export interface EndpointsOptions {
  readonly library: Library
  readonly netlink: Netlink
  readonly map: EndpointMap
  readonly programs: PodPrograms
  readonly gateways: Gateways
  /** Called after a batch that changed the map, so that flows are decided again. */
  readonly bumpEpoch: () => void
}

interface VethEnd {
  readonly ifindex: number
  readonly peerIfindex: number | undefined
}

/** One row on its way through the stages; a stage passes over those that failed. */
interface Work {
  readonly row: Endpoint
  host?: VethEnd
  /** The veth was made in this call, so a failure takes it away again. */
  created: boolean
  error?: Error
}

export class Endpoints implements Operations<Endpoint> {
  readonly #options: EndpointsOptions

  constructor(options: EndpointsOptions) {
    this.#options = options
  }

  async update(rows: readonly Endpoint[]): Promise<Failures> {
    const works: Work[] = rows.map((row) => ({ row, created: false }))
    this.#findVeths(works)
    for (const work of works) attempt(work, () => this.#createVeth(work))
    for (const work of works) attempt(work, () => this.#configurePod(work))
    this.#configureHosts(works)
    this.#writeEntries(works)
    this.#undo(works)
    return failuresOf(works)
  }

  async delete(rows: readonly Endpoint[]): Promise<Failures> {
    // Root first: no packet may be sent to an interface that is going.
    this.#deleteEntries(rows)
    const works: Work[] = rows.map((row) => ({ row, created: false }))
    this.#findVeths(works)
    for (const { row } of works) if (isSecondary(row)) this.#deleteRules(row)
    this.#deleteVeths(works)
    return failuresOf(works)
  }

  async prune(rows: readonly Endpoint[]): Promise<void> {
    const { map, netlink, bumpEpoch } = this.#options
    const addresses = new Set<Address>(rows.flatMap((row) => row.addresses))
    const extra = [...map.keys()].filter((key) => !addresses.has(key.address))
    map.deleteMany(extra)
    if (extra.length > 0) bumpEpoch()
    const names = new Set(rows.map(({ hostIfName }) => hostIfName))
    const stray = listLinks(netlink).filter(({ name }) => POD_VETH.test(name) && !names.has(name))
    const ifindexes = stray.map(({ ifindex }) => ifindex)
    deleteLinks(netlink, ifindexes, LEAVING_GROUP)
  }

  #findVeths(works: readonly Work[]): void {
    const { netlink } = this.#options
    if (works.length < MANY) {
      for (const work of works) {
        attempt(work, () => assign(work, linkByName(netlink, work.row.hostIfName)))
      }
      return
    }
    const links = new Map(listLinks(netlink).map((link) => [link.name, link]))
    for (const work of works) assign(work, links.get(work.row.hostIfName))
  }

  /** The pod's end is born in its namespace: it is never seen in the node's. */
  #createVeth(work: Work): void {
    if (work.host) return
    const { hostIfName: name, hostMac: mac, mtu, netns, ifName, mac: podMac } = work.row
    const peer = { name: ifName, mac: podMac, mtu, netns }
    work.host = createVeth(this.#options.netlink, { name, mac, mtu, peer })
    work.created = true
  }

  /** Everything inside the pod, over a socket that lives there. */
  #configurePod(work: Work): void {
    const { row, host } = work
    if (!host) return
    const netlink = Netlink.open(this.#options.library, row.netns)
    try {
      const inside = linkByName(netlink, row.ifName)
      if (inside?.ifindex !== host.peerIfindex || inside?.mac !== row.mac) {
        this.#replaceVeth(work)
        return
      }
      const takenDefaults = work.created ? [] : defaultsOfOthers(netlink, inside.ifindex)
      const { gateways } = this.#options
      const requests = podRequests(row, inside.ifindex, { gateways, takenDefaults })
      const errors = netlink.transact(requests)
      // A namespace made without IPv6 refuses our addresses: that is repaired, once.
      if (errors.some((error) => error?.code === 'EACCES')) {
        const path = `net/ipv6/conf/${row.ifName}/disable_ipv6`
        writeSysctl(this.#options.library, path, '0', row.netns)
        netlink.run(...requests)
      } else throwFirst(errors)
      addRules(netlink, secondaryRules(row))
    } finally {
      netlink.close()
    }
  }

  /** An older attachment of the same name goes, as its pod's namespace has gone. */
  #replaceVeth(work: Work): void {
    const { row, host, created } = work
    if (!host || created) {
      throw new Error(`Cannot attach ${row.ifName} of ${row.netns}: it is not the veth just made`)
    }
    deleteLink(this.#options.netlink, host.ifindex)
    delete work.host
    this.#createVeth(work)
    this.#configurePod(work)
  }

  #configureHosts(works: readonly Work[]): void {
    const { gateways, programs } = this.#options
    this.#send(works, ({ row, host }) =>
      host ? hostRequests(row, host.ifindex, { gateways, programs }) : [],
    )
  }

  #writeEntries(works: readonly Work[]): void {
    const entries: (readonly [layout.EndpointKey, layout.Endpoint])[] = []
    const owners: Work[] = []
    for (const work of works) {
      if (work.error || !work.host) continue
      const entry = endpointEntry(work.row, work.host.ifindex)
      for (const address of work.row.addresses) {
        entries.push([{ address }, entry])
        owners.push(work)
      }
    }
    const { failures, written } = writeChanged(this.#options.map, entries)
    for (const [at, error] of failures) {
      const work = owners[at]
      if (work) work.error = error
    }
    if (written > 0) this.#options.bumpEpoch()
  }

  /** What failed half way and was not there before goes again, root first. */
  #undo(works: readonly Work[]): void {
    const failed = works.filter(({ error, created }) => error && created)
    if (failed.length === 0) return
    this.#deleteEntries(failed.map(({ row }) => row))
    this.#deleteVeths(failed)
  }

  /** Only entries of this very endpoint: its address may be another's by now. */
  #deleteEntries(rows: readonly Endpoint[]): void {
    const { map, bumpEpoch } = this.#options
    const keys = rows.flatMap(({ id, addresses }) =>
      addresses
        .filter((address) => map.get({ address })?.id === id)
        .map((address) => ({ address })),
    )
    map.deleteMany(keys)
    if (keys.length > 0) bumpEpoch()
  }

  /** The pod may live on without this interface, or be gone with its namespace. */
  #deleteRules(row: Endpoint): void {
    if (!existsSync(row.netns)) return
    try {
      using netlink = Netlink.open(this.#options.library, row.netns)
      deleteRules(netlink, secondaryRules(row))
    } catch {
      // What is at the path is no namespace any more, or is going: nothing is left to take away.
    }
  }

  #deleteVeths(works: readonly Work[]): void {
    const ifindexes = works.flatMap(({ host }) => (host ? [host.ifindex] : []))
    const failures = deleteLinks(this.#options.netlink, ifindexes, LEAVING_GROUP)
    for (const work of works) {
      const error = work.host && failures.get(work.host.ifindex)
      if (error) work.error ??= error
    }
  }

  /** One transaction for all; the first failing request of a row is that row's error. */
  #send(works: readonly Work[], requestsOf: (work: Work) => readonly Request[]): void {
    const owners: Work[] = []
    const requests: Request[] = []
    for (const work of works) {
      if (work.error) continue
      attempt(work, () => {
        for (const request of requestsOf(work)) {
          requests.push(request)
          owners.push(work)
        }
      })
    }
    this.#options.netlink.transact(requests).forEach((error, at) => {
      const work = owners[at]
      if (work && error) work.error ??= error
    })
  }
}

function assign(work: Work, link: VethEnd | undefined): void {
  if (link) work.host = link
}

function attempt(work: Work, action: () => void): void {
  if (work.error) return
  try {
    action()
  } catch (error) {
    work.error = error as Error
  }
}

function throwFirst(errors: readonly (Error | undefined)[]): void {
  const error = errors.find((each) => each !== undefined)
  if (error) throw error
}

function failuresOf(works: readonly Work[]): Failures {
  return new Map(works.flatMap(({ row, error }) => (error ? [[endpointKey(row), error]] : [])))
}

/** What the map holds, with the names of the interfaces, for showing and for drift. */
export function readEndpoints(map: EndpointMap, netlink: Netlink): ActualEndpoint[] {
  const names = new Map(listLinks(netlink).map(({ ifindex, name }) => [ifindex, name]))
  return [...map.entries()].map(([{ address }, { ifindex, id, mac, hostMac, mtu }]) => {
    const hostIfName = names.get(ifindex)
    return { address, id, ifindex, ...(hostIfName ? { hostIfName } : {}), mac, hostMac, mtu }
  })
}
