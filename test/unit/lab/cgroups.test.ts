// Reading a tree of cgroups while its members come and go.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { cgroupPids } from '../../../src/lab/cgroups.ts'

test('cgroupPids() passes over a cgroup that goes while it reads', () => {
  const root = mkdtempSync(join(tmpdir(), 'weir-cgroups-'))
  try {
    for (const name of ['stays', 'goes']) mkdirSync(join(root, name))
    writeFileSync(join(root, 'cgroup.procs'), '1\n')
    writeFileSync(join(root, 'stays', 'cgroup.procs'), '2\n3\n')
    assert.deepEqual(cgroupPids(root).sort(), [1, 2, 3])
    assert.deepEqual(cgroupPids(join(root, 'absent')), [])
  } finally {
    rmSync(root, { recursive: true })
  }
})
