// A switch with nodes and others plugged in, as real wires are: XDP at their ends is at home.
import { WEIR_POD } from './place.ts'
import { run, type Scene } from './scene.ts'
import { TestNode } from './test-node.ts'

/** Nodes, and whoever else is plugged in, on one switch. */
export class Fabric {
  readonly nodes: readonly TestNode[]
  readonly #scene: Scene
  readonly #netns: string
  #ports = 0

  constructor(scene: Scene, count: number) {
    this.#scene = scene
    this.#netns = scene.netns()
    const bridge = ['type', 'bridge', 'forward_delay', '0', 'mcast_snooping', '0']
    scene.ip(this.#netns, 'link', 'add', 'switch', ...bridge)
    scene.ip(this.#netns, 'link', 'set', 'switch', 'up')
    this.nodes = Array.from({ length: count }, (_, at) => {
      const node = new TestNode(scene, at + 1)
      scene.ip(node.netns, 'link', 'del', 'eth0')
      this.#plug(node.netns)
      node.configureUplink()
      return node
    })
  }

  /** A namespace with these addresses on its eth0; its name. */
  host(addresses: readonly string[]): string {
    const netns = this.#scene.netns()
    this.#plug(netns)
    for (const address of addresses) {
      const more = address.includes(':') ? [`${address}/64`, 'nodad'] : [`${address}/24`]
      const [prefix = '', ...flags] = more
      this.#scene.ip(netns, 'addr', 'add', prefix, 'dev', 'eth0', ...flags)
    }
    this.#scene.ip(netns, 'link', 'set', 'eth0', 'up')
    return netns
  }

  /** A cable whose end at the switch is fit for XDP at the other. */
  #plug(netns: string): void {
    const port = `port${this.#ports++}`
    const peer = ['peer', 'name', 'eth0', 'netns', netns]
    this.#scene.ip(this.#netns, 'link', 'add', port, 'type', 'veth', ...peer)
    run('ip', 'netns', 'exec', this.#netns, WEIR_POD, 'wire', port)
    this.#scene.ip(this.#netns, 'link', 'set', port, 'master', 'switch', 'up')
  }
}
