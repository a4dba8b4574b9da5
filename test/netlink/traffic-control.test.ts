// clsact and BPF filters, on a veth of a namespace of this test's own.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openLibrary } from '../../src/libbpf/library.ts'
import { BpfObject } from '../../src/libbpf/object.ts'
import { Program } from '../../src/libbpf/program.ts'
import { createVeth, deleteLink } from '../../src/netlink/links.ts'
import { Netlink } from '../../src/netlink/netlink.ts'
import {
  addClsact,
  deleteBpfFilter,
  deleteClsact,
  hasClsact,
  listBpfFilters,
  replaceBpfFilter,
} from '../../src/netlink/traffic-control.ts'
import { compileObject } from '../support/compile-object.ts'
import { enterOwnNetns } from '../support/own-netns.ts'

enterOwnNetns()
const directory = mkdtempSync(join(tmpdir(), 'weir-netlink-'))
const library = openLibrary()
const netlink = Netlink.open(library)
const object = BpfObject.open(
  library,
  compileObject(join(import.meta.dirname, '../libbpf/test.bpf.c'), directory),
)
object.load()
const [count, shrink] = [object.program('count'), object.program('shrink')]
after(() => {
  for (const each of [count, shrink, object, netlink]) each.close()
  rmSync(directory, { recursive: true })
})

test('filters are added, swapped in place, listed in order and deleted', () => {
  const { ifindex } = createVeth(netlink, { name: 'weir-a', peer: { name: 'weir-b' } })
  assert.equal(hasClsact(netlink, ifindex), false)
  assert.deepEqual(listBpfFilters(netlink, ifindex, 'ingress'), [])
  addClsact(netlink, ifindex)
  const place = { ifindex, direction: 'ingress', priority: 1, handle: 1 } as const
  const later = { ...place, priority: 7, handle: 3 }
  replaceBpfFilter(netlink, { ...later, programFd: shrink.fd, name: 'later' })
  replaceBpfFilter(netlink, { ...place, programFd: count.fd, name: 'from_pod' })
  addClsact(netlink, ifindex)
  assert.equal(hasClsact(netlink, ifindex), true)
  const listed = (program: Program) => ({
    name: program === count ? 'from_pod' : 'later',
    programId: program.id,
    tag: program.tag,
    isDirectAction: true,
  })
  assert.deepEqual(listBpfFilters(netlink, ifindex, 'ingress'), [
    { ...place, ...listed(count) },
    { ...later, ...listed(shrink) },
  ])
  assert.deepEqual(listBpfFilters(netlink, ifindex, 'egress'), [])
  const argv = ['-j', 'filter', 'show', 'dev', 'weir-a', 'ingress']
  assert.match(execFileSync('tc', argv, { encoding: 'utf8' }), /"bpf_name":"from_pod"/)

  replaceBpfFilter(netlink, { ...place, programFd: shrink.fd, name: 'from_pod' })
  const [first] = listBpfFilters(netlink, ifindex, 'ingress')
  assert.equal(first?.programId, shrink.id)
  assert.equal(deleteBpfFilter(netlink, place), true)
  assert.equal(deleteBpfFilter(netlink, place), false)
  assert.equal(listBpfFilters(netlink, ifindex, 'ingress').length, 1)
  assert.equal(deleteClsact(netlink, ifindex), true)
  assert.equal(deleteClsact(netlink, ifindex), false)
  assert.deepEqual(listBpfFilters(netlink, ifindex, 'ingress'), [])
  assert.equal(deleteBpfFilter(netlink, later), false)
  deleteLink(netlink, ifindex)
  assert.equal(deleteClsact(netlink, ifindex), false)
  assert.deepEqual(listBpfFilters(netlink, ifindex, 'ingress'), [])
})

test('a filter keeps its program loaded, and the interface keeps the filter', () => {
  const { ifindex } = createVeth(netlink, { name: 'weir-c', peer: { name: 'weir-d' } })
  addClsact(netlink, ifindex)
  const place = { ifindex, direction: 'egress', priority: 1, handle: 1 } as const
  let id = 0
  {
    using own = BpfObject.open(library, object.path)
    own.load()
    using program = own.program('count')
    id = program.id
    replaceBpfFilter(netlink, { ...place, programFd: program.fd, name: 'to_pod' })
  }
  assert.equal(listBpfFilters(netlink, ifindex, 'egress')[0]?.programId, id)
  Program.openId(library, id).close()
  deleteLink(netlink, ifindex)
})

test('what is no program of the right kind is refused by name', () => {
  const { ifindex } = createVeth(netlink, { name: 'weir-e', peer: { name: 'weir-f' } })
  addClsact(netlink, ifindex)
  using pass = object.program('pass')
  const filter = { ifindex, direction: 'ingress', priority: 1, handle: 1, name: 'wrong' } as const
  assert.throws(() => replaceBpfFilter(netlink, { ...filter, programFd: pass.fd }), {
    code: 'EINVAL',
    object: `filter wrong at ingress of interface ${ifindex}`,
  })
  deleteLink(netlink, ifindex)
  assert.throws(() => addClsact(netlink, ifindex), { code: 'ENODEV' })
})
