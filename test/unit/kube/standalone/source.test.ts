// The standalone source on a real directory, treated as people, editors and kubelets treat one.
import assert from 'node:assert/strict'
import { mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { service, setUp } from './setup.ts'

test('the first look reads all and initializes all tables', async (t) => {
  const { source, tables, write } = setUp(t)
  write('a.yaml', service('a'))
  write('deep/er/b.yml', `${service('b', '10.96.0.2')}---\n${service('c', '10.96.0.3')}`)
  write('d.json', '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"d"}}')
  write('README.md', 'not a manifest')
  write('.hidden.yaml', 'oops: [')
  await source.start()
  assert.deepEqual(
    [...tables.services.rows()].map(({ name }) => name),
    ['a', 'b', 'c'],
  )
  const all = [tables.nodes, tables.namespaces, tables.pods, tables.services, tables.endpointSlices]
  for (const { initialized } of all) assert.equal(initialized, true)
  const { errors, notes, synced, objects, lastSyncAt } = source.health()
  assert.deepEqual({ errors, notes, synced }, { errors: [], notes: [], synced: true })
  assert.deepEqual(objects, {
    ...{ Node: 0, Namespace: 1, Pod: 0, Service: 3, EndpointSlice: 0 },
    ...{ NetworkPolicy: 0, ClusterNetworkPolicy: 0, ServiceCIDR: 0 },
  })
  assert.ok(lastSyncAt !== undefined && lastSyncAt <= Date.now())
  const empty = setUp(t)
  await empty.source.start()
  assert.equal(empty.tables.services.initialized, true)
})

test('files that come, change and go are followed', async (t) => {
  const { source, tables, write, replace, remove, until } = setUp(t)
  await source.start()
  write('a.yaml', service('a'))
  await until(() => tables.services.size === 1)
  write('a.yaml', service('a', '10.96.0.2'))
  await until(() => tables.services.get('default/a')?.clusterIps[0] === '10.96.0.2')
  replace('a.yaml', service('a', '10.96.0.3'))
  await until(() => tables.services.get('default/a')?.clusterIps[0] === '10.96.0.3')
  replace('a.yaml', service('b', '10.96.0.4'))
  await until(() => tables.services.get('default/b') !== undefined)
  assert.equal(tables.services.size, 1)
  remove('a.yaml')
  await until(() => tables.services.size === 0)
})

test('an emptied file takes its objects away', async (t) => {
  const { source, tables, write, until } = setUp(t)
  write('a.yaml', service('a'))
  await source.start()
  write('a.yaml', '')
  await until(() => tables.services.size === 0)
})

test('directories that come, move and go are followed', async (t) => {
  const { source, tables, directory, write, remove, until } = setUp(t)
  await source.start()
  write('one/two/a.yaml', service('a'))
  await until(() => tables.services.size === 1)
  write('one/two/b.yaml', service('b', '10.96.0.2'))
  await until(() => tables.services.size === 2)
  renameSync(join(directory, 'one'), join(directory, 'three'))
  write('three/two/c.yaml', service('c', '10.96.0.3'))
  await until(() => tables.services.size === 3)
  write('three/two/b.yaml', service('b', '10.96.0.9'))
  await until(() => tables.services.get('default/b')?.clusterIps[0] === '10.96.0.9')
  remove('three')
  await until(() => tables.services.size === 0)
  write('three/a.yaml', service('a'))
  await until(() => tables.services.size === 1)
  write('three/a.yaml', service('a', '10.96.0.7'))
  await until(() => tables.services.get('default/a')?.clusterIps[0] === '10.96.0.7')
})

test('a directory that is replaced in one go is watched anew', async (t) => {
  const { source, tables, directory, write, until } = setUp(t)
  write('one/a.yaml', service('a'))
  await source.start()
  renameSync(join(directory, 'one'), join(directory, '.old'))
  write('one/a.yaml', service('a', '10.96.0.2'))
  await until(() => tables.services.get('default/a')?.clusterIps[0] === '10.96.0.2')
  // Files so young are looked at again by themselves: only then an event is what brings the next
  // look.
  await new Promise((resolve) => setTimeout(resolve, 400))
  write('one/b.yaml', service('b', '10.96.0.3'))
  await until(() => tables.services.size === 2)
})

test('a mounted ConfigMap is followed through its swapped symlink', async (t) => {
  const { source, tables, directory, write, until } = setUp(t)
  const at = (name: string) => join(directory, name)
  write('..2024_1/a.yaml', service('a'))
  symlinkSync('..2024_1', at('..data'))
  symlinkSync('..data/a.yaml', at('a.yaml'))
  await source.start()
  assert.equal(tables.services.size, 1)
  write('..2024_2/a.yaml', service('a', '10.96.0.2'))
  symlinkSync('..2024_2', at('..data_tmp'))
  renameSync(at('..data_tmp'), at('..data'))
  rmSync(at('..2024_1'), { recursive: true })
  await until(() => tables.services.get('default/a')?.clusterIps[0] === '10.96.0.2')
  assert.equal(source.health().errors.length, 0)
})

test('symlinks to directories are walked, and those that turn in circles do no harm', async (t) => {
  const { source, tables, directory, write } = setUp(t)
  write('real/a.yaml', service('a'))
  symlinkSync('..', join(directory, 'real/up'))
  symlinkSync('nowhere', join(directory, 'real/broken.yaml'))
  await source.start()
  assert.equal(tables.services.size, 1)
  assert.deepEqual(source.health().errors, [])
})

test('a slow rescan sees what raises no event here', async (t) => {
  const { source, tables, directory, write, until } = setUp(t, {
    rescanMs: 20,
    directory: 'watched',
  })
  write('../elsewhere/a.yaml', service('a'))
  mkdirSync(directory)
  symlinkSync('../elsewhere/a.yaml', join(directory, 'a.yaml'))
  await source.start()
  write('../elsewhere/a.yaml', service('a', '10.96.0.2'))
  await until(() => tables.services.get('default/a')?.clusterIps[0] === '10.96.0.2')
})

test('a typo keeps what the file gave before, and names file, line and document', async (t) => {
  const { source, tables, write, until, errors, logged } = setUp(t)
  write('a.yaml', `${service('a')}---\n${service('b', '10.96.0.2')}`)
  write('z.yaml', service('z', '10.96.0.9'))
  await source.start()
  write('a.yaml', `${service('a', '10.96.0.7')}---\n${service('b', '10.96.0.2', 'http')}`)
  await until(() => errors().length > 0)
  const message =
    'Cannot use Service default/b: spec.ports[0].port is "http"; give a whole ' +
    'number from 1 to 65535'
  assert.deepEqual(errors(), [`a.yaml:15 (document 2) ${message}`])
  assert.equal(tables.services.size, 3)
  assert.deepEqual(tables.services.get('default/a')?.clusterIps, ['10.96.0.7'])
  assert.deepEqual(tables.services.get('default/b')?.ports[0]?.port, 80)
  write('a.yaml', 'oops: [')
  await until(() =>
    errors().some((error) => error.startsWith('a.yaml:1 (document 1) Cannot parse')),
  )
  assert.equal(tables.services.size, 3)
  write('a.yaml', service('a', '10.96.0.8'))
  await until(() => errors().length === 0)
  assert.deepEqual([...tables.services.rows()].map(({ name }) => name).sort(), ['a', 'z'])
  const warnings = logged.filter((line) => line.startsWith('warn'))
  assert.equal(warnings.length, 2, 'each problem is logged once')
  assert.equal(logged.filter((line) => line.includes('is over')).length, 2)
})

test('a file that is bad from the start spoils nothing else', async (t) => {
  const { source, tables, write, errors } = setUp(t)
  write('a.yaml', 'kind: [')
  write('b.yaml', service('b'))
  await source.start()
  assert.equal(tables.services.size, 1)
  assert.equal(errors().length, 1)
  assert.equal(tables.services.initialized, true)
})

test('of two files with one object the first by name counts', async (t) => {
  const { source, tables, write, remove, until, errors } = setUp(t)
  const address = () => tables.services.get('default/a')?.clusterIps[0]
  write('2.yaml', service('a', '10.96.0.2'))
  await source.start()
  write('3.yaml', service('a', '10.96.0.3'))
  await until(() => errors().length === 1)
  assert.equal(address(), '10.96.0.2')
  write('1.yaml', service('a', '10.96.0.1'))
  await until(() => address() === '10.96.0.1')
  assert.deepEqual(errors(), [
    '2.yaml:1 (document 1) Service default/a is given by 1.yaml too; the first file by name counts',
    '3.yaml:1 (document 1) Service default/a is given by 1.yaml too; the first file by name counts',
  ])
  remove('1.yaml')
  await until(() => address() === '10.96.0.2')
  remove('2.yaml')
  await until(() => address() === '10.96.0.3')
  assert.deepEqual(errors(), [])
})

test('an object that moves to another file is never absent', async (t) => {
  const { source, tables, directory, write, until } = setUp(t)
  write('a.yaml', service('a'))
  await source.start()
  const keys: string[] = []
  tables.services.subscribe((key) => keys.push(key))
  renameSync(join(directory, 'a.yaml'), join(directory, 'b.yaml'))
  write('end.yaml', service('end', '10.96.0.9'))
  await until(() => tables.services.size === 2)
  assert.deepEqual(keys, ['default/end'])
})

test('a Service that becomes headless loses its row', async (t) => {
  const { source, tables, write, until } = setUp(t)
  write('a.yaml', service('a'))
  await source.start()
  write('a.yaml', service('a', 'None'))
  await until(() => tables.services.size === 0)
})

test('unknown kinds and unsupported protocols are notes, each told once', async (t) => {
  const { source, write, notes, until, logged, tables } = setUp(t)
  const deployment = 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n'
  write('a.yaml', deployment)
  write(
    'b.yaml',
    `${deployment}---\n${service('b').replace('port: 80', 'port: 80\n    protocol: SCTP')}`,
  )
  await source.start()
  assert.deepEqual(notes(), [
    'b.yaml:5 (document 2) Service default/b: port 80/SCTP is not served, for ' +
      'SCTP is not supported',
    'a.yaml Nothing reads apps/v1 Deployment: objects of this kind are passed over',
  ])
  write('c.yaml', service('c', '10.96.0.3'))
  await until(() => tables.services.size === 2)
  assert.equal(logged.length, 2)
  assert.deepEqual(source.health().errors, [])
})

test('a directory is waited for, and one that goes takes nothing with it', async (t) => {
  const { source, tables, directory, write, until, errors } = setUp(t, {
    rescanMs: 20,
    directory: 'later',
  })
  await source.start()
  assert.equal(tables.services.initialized, false)
  assert.equal(source.health().synced, false)
  assert.match(errors()[0] ?? '', /ENOENT.*later/)
  write('a.yaml', service('a'))
  await until(() => tables.services.initialized)
  assert.equal(tables.services.size, 1)
  assert.deepEqual(errors(), [])
  rmSync(directory, { recursive: true })
  await until(() => errors().length > 0)
  assert.equal(tables.services.size, 1)
  write('b.yaml', service('b', '10.96.0.2'))
  await until(() => tables.services.get('default/b') !== undefined)
  await until(() => tables.services.size === 1)
})

test('a directory that cannot be read keeps what it gave', async (t) => {
  const { source, tables, directory, write, remove, until, errors } = setUp(t)
  write('dir/a.yaml', service('a'))
  await source.start()
  remove('dir')
  // A symlink to itself cannot be read by anybody, root included.
  symlinkSync('dir', join(directory, 'dir'))
  write('b.yaml', service('b', '10.96.0.2'))
  await until(() => tables.services.get('default/b') !== undefined)
  assert.match(errors().join(), /^dir ELOOP/)
  assert.equal(tables.services.get('default/a')?.name, 'a')
  remove('dir')
  await until(() => tables.services.size === 1)
  assert.deepEqual(errors(), [])
})

test('half-written files are read when they are whole', async (t) => {
  const { source, tables, write, until, logged } = setUp(t)
  await source.start()
  const text = service('a')
  for (let length = 0; length <= text.length; length += 10) write('a.yaml', text.slice(0, length))
  write('a.yaml', text)
  await until(() => tables.services.size === 1)
  assert.deepEqual(logged, [])
})

test('stop() ends the watch and keeps the rows', async (t) => {
  const { source, tables, write } = setUp(t, { rescanMs: 20 })
  write('a.yaml', service('a'))
  await source.start()
  await source.stop()
  write('b.yaml', service('b', '10.96.0.2'))
  await new Promise((resolve) => setTimeout(resolve, 60))
  assert.equal(tables.services.size, 1)
})

test('thousands of files are read, and one changed file changes one row', async (t) => {
  const { source, tables, write, until } = setUp(t)
  for (let n = 0; n < 2_000; n++) {
    write(`${n % 10}/${n}.yaml`, service(`s${n}`, `10.96.${n >> 8}.${n & 255}`))
  }
  await source.start()
  assert.equal(tables.services.size, 2_000)
  const keys: string[] = []
  tables.services.subscribe((key) => keys.push(key))
  write('3/3.yaml', service('s3', '10.97.0.1'))
  await until(() => keys.length > 0)
  assert.deepEqual(keys, ['default/s3'])
})
