// Links to tcx, XDP and cgroup hooks, in a network namespace and a cgroup of this test's own.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { removePin } from '../../src/libbpf/bpffs.ts'
import type { Library } from '../../src/libbpf/library.ts'
import { attachedPrograms, Link } from '../../src/libbpf/link.ts'
import { type Address, parseAddress } from '../../src/net/address.ts'
import { parseMac } from '../../src/net/mac.ts'
import { addAddressRequest } from '../../src/netlink/addresses.ts'
import { createVeth, deleteLink, linkByName, setLinkRequests } from '../../src/netlink/links.ts'
import { replaceNeighbourRequest } from '../../src/netlink/neighbours.ts'
import { Netlink } from '../../src/netlink/netlink.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import {
  cleanUpWith,
  libraries,
  loadObject,
  mountScratchBpffs,
  objectPath,
  toNumber,
  uint32,
} from './workshop.ts'

enterOwnNetns()
const bpffs = mountScratchBpffs()

/** A veth on which a datagram to the peer address leaves without asking anybody. */
function makeVeth(library: Library, own: Address, peerAddress: Address): number {
  const netlink = Netlink.open(library)
  cleanUpWith(() => netlink.close())
  const name = `weir-${library.engine}`
  const peer = { name: `${name}-b` }
  const { ifindex, peerIfindex } = createVeth(netlink, { name, addrGenModeNone: true, peer })
  const lo = linkByName(netlink, 'lo')?.ifindex ?? 0
  netlink.run(
    ...setLinkRequests(lo, { up: true }),
    ...setLinkRequests(peerIfindex, { addrGenModeNone: true, up: true }),
    ...setLinkRequests(ifindex, { up: true }),
    addAddressRequest({ ifindex, address: own, prefixLength: 24 }),
    replaceNeighbourRequest({ ifindex, address: peerAddress, mac: parseMac('02:00:00:00:00:02') }),
  )
  return ifindex
}

async function sendDatagram(to: Address): Promise<void> {
  const socket = createSocket('udp4')
  await new Promise((resolve) => socket.send('x', 9, to, resolve))
  socket.close()
  await once(socket, 'close')
}

for (const [index, library] of libraries.entries()) {
  const { engine } = library
  const own = parseAddress(`10.${index}.0.1`)
  const peerAddress = parseAddress(`10.${index}.0.2`)
  const ifindex = makeVeth(library, own, peerAddress)

  test(`${engine}: a tcx link passes packets to its program until it is detached`, async () => {
    using object = loadObject(library)
    using program = object.program('count')
    using seen = object.map('a_name_longer_than_15')
    const total = () => toNumber(seen.lookup(uint32(1)) ?? uint32(0))
    const hook = { ifindex, direction: 'egress' } as const
    using link = Link.attachTcx(library, { program, ...hook })
    const { type, programId, ifindex: on, attachType } = link.facts()
    assert.deepEqual([type, programId, on, attachType], ['tcx', program.id, ifindex, 'egress'])
    assert.deepEqual(attachedPrograms(library, hook), [program.id])
    assert.deepEqual(attachedPrograms(library, { ifindex, direction: 'ingress' }), [])
    await sendDatagram(peerAddress)
    assert.equal(total(), 1)
    assert.throws(() => Link.attachTcx(library, { program, ...hook }), {
      code: 'EEXIST',
      message: new RegExp(`^Cannot make link of count to tcx egress of interface ${ifindex}`),
    })
    link.detach()
    await sendDatagram(peerAddress)
    assert.equal(total(), 1)
    assert.deepEqual(attachedPrograms(library, hook), [])
    assert.equal(link.facts().ifindex, 0)
  })

  test(`${engine}: update() swaps the program, and first comes before the others`, async () => {
    using one = loadObject(library)
    using two = loadObject(library)
    using oldProgram = one.program('count')
    using newProgram = two.program('count')
    const hook = { ifindex, direction: 'egress' } as const
    using link = Link.attachTcx(library, { program: oldProgram, ...hook })
    link.update(newProgram)
    assert.deepEqual(attachedPrograms(library, hook), [newProgram.id])
    using _first = Link.attachTcx(library, { program: oldProgram, first: true, ...hook })
    assert.deepEqual(attachedPrograms(library, hook), [oldProgram.id, newProgram.id])
    using wrong = one.program('pass')
    assert.throws(() => link.update(wrong), { code: 'EINVAL', operation: 'update' })
  })

  test(`${engine}: a pinned link outlives its fds, and dies with its pin`, () => {
    using object = loadObject(library)
    using program = object.program('count')
    const hook = { ifindex, direction: 'ingress' } as const
    const path = join(bpffs, `link-${engine}`)
    {
      using link = Link.attachTcx(library, { program, ...hook })
      link.pin(path)
    }
    assert.deepEqual(attachedPrograms(library, hook), [program.id])
    {
      using link = Link.openPinned(library, path)
      assert.equal(link.facts().programId, program.id)
      link.unpin()
    }
    assert.deepEqual(attachedPrograms(library, hook), [])
    assert.throws(() => Link.openPinned(library, path), { code: 'ENOENT' })
  })

  test(`${engine}: what a killed process pinned goes on working`, async () => {
    const script = join(import.meta.dirname, 'pin-and-die.ts')
    const argv = [script, engine, String(ifindex), bpffs, objectPath]
    const child = spawnSync(process.execPath, argv, { encoding: 'utf8' })
    assert.equal(child.signal, 'SIGKILL', child.stderr)
    const hook = { ifindex, direction: 'egress' } as const
    assert.equal(attachedPrograms(library, hook).length, 1)
    using link = Link.openPinned(library, join(bpffs, `dead-${engine}`))
    using object = loadObject(library)
    using program = object.program('count')
    link.update(program)
    await sendDatagram(peerAddress)
    using seen = object.map('a_name_longer_than_15')
    assert.equal(toNumber(seen.lookup(uint32(1))), 1)
    link.unpin()
  })

  test(`${engine}: a link of a deleted interface says so`, () => {
    using object = loadObject(library)
    using program = object.program('count')
    using netlink = Netlink.open(library)
    const veth = createVeth(netlink, { name: 'weir-gone', peer: { name: 'weir-gone2' } })
    const hook = { ifindex: veth.ifindex, direction: 'ingress' } as const
    using link = Link.attachTcx(library, { program, ...hook })
    deleteLink(netlink, veth.ifindex)
    assert.equal(link.facts().ifindex, 0)
    assert.throws(() => link.update(program), { code: 'ENOLINK' })
    assert.throws(() => Link.attachTcx(library, { program, ...hook }), { code: 'ENODEV' })
  })

  test(`${engine}: XDP attaches in the mode asked for`, () => {
    using object = loadObject(library)
    using program = object.program('pass')
    for (const mode of ['generic', 'native', undefined] as const) {
      using link = Link.attachXdp(library, { program, ifindex, ...(mode && { mode }) })
      const { type, ifindex: on, programId } = link.facts()
      assert.deepEqual([type, on, programId], ['xdp', ifindex, program.id])
    }
    using netlink = Netlink.open(library)
    const lo = linkByName(netlink, 'lo')?.ifindex ?? 0
    assert.throws(() => Link.attachXdp(library, { program, ifindex: lo, mode: 'native' }), {
      code: 'EOPNOTSUPP',
    })
  })

  test(`${engine}: a pinned XDP link outlives its fds, and its program is swapped in place`, () => {
    using object = loadObject(library)
    using pass = object.program('pass')
    using stamp = object.program('stamp')
    const path = join(bpffs, `xdp-${engine}`)
    const attach = (mode: 'native' | 'generic') =>
      Link.attachXdp(library, { program: pass, ifindex, mode })
    {
      using link = attach('native')
      link.pin(path)
    }
    assert.throws(() => attach('native'), { code: 'EBUSY' })
    assert.throws(() => attach('generic'), { code: 'EEXIST' })
    {
      using link = Link.openPinned(library, path)
      link.update(stamp)
      assert.equal(link.facts().programId, stamp.id)
      link.unpin()
    }
    using _again = attach('generic')
  })

  test(`${engine}: an XDP program runs on a frame from a device, and may lengthen it`, () => {
    using object = loadObject(library)
    using stamp = object.program('stamp')
    const data = Uint8Array.from({ length: 60 }, (_, at) => at)
    const context = new Uint8Array(24)
    const view = new DataView(context.buffer)
    view.setUint32(4, data.length, true) // data_end
    view.setUint32(12, ifindex, true)
    const result = stamp.testRun({ data, context })
    assert.deepEqual(
      [result.returnValue, result.data],
      [3, Uint8Array.from([...uint32(ifindex), ...data])],
    )
    view.setUint32(12, 9999, true)
    assert.throws(() => stamp.testRun({ data, context }), { code: 'ENODEV' })
  })

  test(`${engine}: a cgroup link decides for the processes in it`, () => {
    const cgroupPath = makeCgroup(engine)
    using object = loadObject(library)
    using refuse = object.program('refuse')
    using allow = object.program('allow')
    const hook = { cgroupPath, attachType: 'connect4' } as const
    assert.match(connectFrom(cgroupPath, own), /refused/)
    {
      using link = Link.attachCgroup(library, { program: refuse, ...hook })
      const { type, cgroupId, attachType } = link.facts()
      assert.deepEqual([type, attachType, cgroupId > 0n], ['cgroup', 'connect4', true])
      assert.deepEqual(attachedPrograms(library, hook), [refuse.id])
      assert.match(connectFrom(cgroupPath, own), /not permitted/)
      link.update(allow)
      assert.match(connectFrom(cgroupPath, own), /refused/)
    }
    assert.deepEqual(attachedPrograms(library, hook), [])
    const absent = { program: refuse, cgroupPath: '/sys/absent', attachType: 'connect4' } as const
    assert.throws(() => Link.attachCgroup(library, absent), { code: 'ENOENT' })
  })

  test(`${engine}: removePin() reports what it cannot remove`, () => {
    assert.throws(() => removePin(bpffs), { operation: 'remove', object: `pin ${bpffs}` })
  })
}

function makeCgroup(engine: string): string {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
  const [, root] = /^\S+ (\S+) cgroup2 /m.exec(mounts) ?? []
  if (root === undefined) throw new Error('Cannot make a cgroup: no cgroup2 is mounted')
  const path = join(root, `weir-libbpf-${engine}-${process.pid}`)
  mkdirSync(path)
  cleanUpWith(() => rmdirSync(path))
  return path
}

/** What bash says of connecting to a closed port of this namespace. */
function connectFrom(cgroupPath: string, address: Address): string {
  const script = `echo $$ > ${cgroupPath}/cgroup.procs && exec 3<>/dev/tcp/${address}/9`
  return spawnSync('bash', ['-c', script], { encoding: 'utf8' }).stderr
}
