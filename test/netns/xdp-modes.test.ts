// XDP on the uplinks as the agent is set: which mode is in force, what is pinned, and why not.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openLibrary } from '../../src/libbpf/library.ts'
import { Link } from '../../src/libbpf/link.ts'
import { Scene } from './scene.ts'
import { TestNode } from './test-node.ts'

const scene = new Scene()
let node: TestNode

before(() => {
  node = new TestNode(scene, 1)
  node.know(node)
})
after(() => {
  for (const link of held) link.close()
  return scene.dispose()
})

/** As a reader of the links may, and the kernel itself for a while. */
const held: Link[] = []

const CASES = [
  { flag: 'auto', xdp: /^off on eth0: a veth holds back what XDP sends/, attached: '' },
  { flag: 'generic', xdp: /^generic on eth0$/, attached: 'xdpgeneric' },
  { flag: 'native', xdp: /^native on eth0$/, attached: 'xdp' },
  { flag: 'native', xdp: /^native on eth0$/, attached: 'xdp' },
  { flag: 'off', xdp: /^off on eth0: --xdp off$/, attached: '' },
]

test('a restart goes from mode to mode though others hold the link, or keeps it', async () => {
  for (const { flag, xdp, attached } of CASES) {
    await node.start('--xdp', flag)
    const status = (await node.get('/v1/status')) as { xdp: string }
    assert.match(status.xdp, xdp)
    const pins = node.pins().filter((pin) => pin.includes('xdp_uplink'))
    assert.deepEqual(pins, attached ? [`links/xdp_uplink-${flag}-eth0`] : [])
    const library = openLibrary()
    for (const pin of pins) held.push(Link.openPinned(library, join(node.bpfRoot, pin)))
    const link = scene.ip(node.netns, 'link', 'show', 'dev', 'eth0')
    const [, mode = ''] = /(xdp\S*)[/ ]?.* qdisc/.exec(link) ?? []
    assert.equal(mode.replace(/\/id.*/, ''), attached, link)
    await node.kill()
    // What was attached stays while no agent runs.
    const left = scene.ip(node.netns, 'link', 'show', 'dev', 'eth0')
    assert.equal(left.includes('xdp'), attached !== '', left)
  }
})

test('of two uplinks each has its own, and one that is an uplink no more has none', async () => {
  scene.ip(node.netns, 'link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'nowhere1')
  scene.ip(node.netns, 'link', 'set', 'eth1', 'up')
  for (const uplinks of [['eth0', 'eth1'], ['eth0']]) {
    await node.start('--xdp', 'native', '--uplink', uplinks.join(','))
    const { xdp } = (await node.get('/v1/status')) as { xdp: string }
    assert.equal(xdp, uplinks.map((name) => `native on ${name}`).join('; '))
    const pins = node.pins().filter((pin) => pin.includes('xdp_uplink'))
    assert.deepEqual(
      pins.sort(),
      uplinks.map((name) => `links/xdp_uplink-native-${name}`),
    )
    const second = scene.ip(node.netns, 'link', 'show', 'dev', 'eth1')
    assert.equal(second.includes('xdp'), uplinks.includes('eth1'), second)
    await node.kill()
  }
})
