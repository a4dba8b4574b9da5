// What the image builder takes from the machine, and that the Dockerfiles ask no registry.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { aptOptionsOf, BASE_IMAGE, npmrcOf, programRecipe } from '../../../src/cluster/builder.ts'

const DOCKERFILES = ['Dockerfile', 'src/cluster/agnhost.Dockerfile']

test('npmrcOf() keeps where packages come from, and nothing else of this machine', () => {
  const config = { registry: 'http://npm.test/', proxy: null, cafile: '/etc/ca.crt', yes: true }
  assert.equal(npmrcOf(config), 'registry=http://npm.test/\ncafile=~/ca.crt\n')
  assert.equal(npmrcOf({ 'https-proxy': 'http://proxy.test' }), 'https-proxy=http://proxy.test\n')
})

test('aptOptionsOf() keeps the way to the sources', () => {
  const kept = ['Acquire::http::Proxy "http://a";', 'Acquire::Check-Valid-Until "false";']
  const left = ['Acquire::Languages "";', 'APT::Architecture "amd64";', 'Acquire::http "";']
  assert.equal(aptOptionsOf(`${[...left, ...kept].join('\n')}\n`), `${kept.join('\n')}\n`)
})

test('programRecipe() copies one program and starts it', () => {
  const { context, dockerfile } = programRecipe('pod:1', '/built/here/weir-pod')
  assert.equal(context, '/built/here')
  assert.equal(dockerfile, 'FROM scratch\nCOPY weir-pod /\nENTRYPOINT ["/weir-pod"]')
})

test('every stage of a Dockerfile begins with the base that is made here, or another stage', () => {
  for (const path of DOCKERFILES) {
    const text = readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')
    const known = new Set(['scratch', BASE_IMAGE])
    for (const [line, from = '', stage = ''] of text.matchAll(/^FROM (\S+)(?: AS (\S+))?$/gm)) {
      assert.ok(known.has(from), `${path}: ${line}`)
      known.add(stage)
    }
  }
})
