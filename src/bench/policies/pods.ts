// Pods on the nodes of the bench that the API server knows: some that are measured, and a crowd
// such as a node of the world has.
import type { NodeRecord } from '../../lab/record.ts'
import type { ApiPlace } from '../scale/place.ts'
import { attachByRoutes, attachByWeir, type BenchPod } from '../services/pods.ts'
import { podObject, podPlace, podStatus, type World } from './world.ts'

export interface KnownPod extends BenchPod {
  /** Its object's, without the API server. */
  readonly path: string
}

interface WantedPod {
  readonly namespace: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

/** Puts pods on a node, by whoever attaches them there. */
export class PodMaker {
  readonly #place: ApiPlace
  readonly #node: NodeRecord
  readonly #attach: 'weir' | 'routes'
  #count = 0

  constructor(place: ApiPlace, node: NodeRecord, attach: 'weir' | 'routes') {
    this.#place = place
    this.#node = node
    this.#attach = attach
  }

  /** As it comes about: bound to the node, attached, and then known with its addresses. */
  async make({ namespace, name, labels }: WantedPod): Promise<KnownPod> {
    const { ask } = this.#place.client
    const node = this.#node
    const path = `/api/v1/namespaces/${namespace}/pods`
    const object = podObject({ name, namespace }, labels, node.name)
    const { metadata } = (await ask('POST', path, object)) as { metadata: { uid: string } }
    const number = ++this.#count
    const short = `p${number}`
    const pod =
      this.#attach === 'weir'
        ? await attachByWeir(node, short, { namespace, name, uid: metadata.uid })
        : await attachByRoutes(node, short, number)
    const status = podStatus(node.addresses[0] ?? '', pod.addresses)
    await ask('PUT', `${path}/${name}/status`, { ...object, status })
    return { ...pod, path: `${path}/${name}` }
  }

  /** Pods such as one more node of the world would have. */
  async crowd(world: World, count: number): Promise<void> {
    for (let slot = 0; slot < count; slot++) {
      const { namespace, labels } = podPlace(world, world.nodes, slot)
      await this.make({ namespace, name: `${this.#node.name}-${slot}`, labels })
    }
  }
}
