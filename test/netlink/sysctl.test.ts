// Sysctls of this test's own namespace and of another one.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openLibrary } from '../../src/libbpf/library.ts'
import { readSysctl, writeSysctl } from '../../src/netlink/sysctl.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { type PodNetns, startPodNetns } from './pod-netns.ts'

enterOwnNetns()
const library = openLibrary()
const NAME = 'net/ipv4/conf/lo/rp_filter'
let pod: PodNetns

before(async () => {
  pod = await startPodNetns()
})
after(() => pod.end())

test('a sysctl is written in the namespace it is meant for, and in no other', () => {
  writeSysctl(library, NAME, '0')
  writeSysctl(library, NAME, '2', pod.path)
  assert.equal(readSysctl(library, NAME), '0')
  assert.equal(readSysctl(library, NAME, pod.path), '2')
  writeSysctl(library, NAME, '1')
  assert.equal(readSysctl(library, NAME, pod.path), '2')
})

test('errors name the sysctl and the namespace', () => {
  assert.throws(() => writeSysctl(library, 'net/ipv4/absent', '1', pod.path), {
    code: 'ENOENT',
    message:
      `Cannot write 1 to sysctl net/ipv4/absent in ${pod.path}: ` +
      'no such file or directory (ENOENT)',
  })
  assert.throws(() => writeSysctl(library, NAME, 'nonsense'), { code: 'EINVAL' })
  assert.throws(() => readSysctl(library, NAME, '/proc/0/ns/net'), { code: 'ENOENT' })
  assert.throws(() => readSysctl(library, '../kcore'), /not a sysctl/)
})
