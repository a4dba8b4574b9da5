// Random policies, pods and packets: what the datapath finds among the compiled entries is what the
// APIs' own text says, for both families and all protocols. SEED=n runs a failing one again.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PolicyCompiler } from '../../../../src/control/policy/compiler.ts'
import type { Address } from '../../../../src/net/address.ts'
import type { Pod } from '../../../../src/tables/intent.ts'
import { createTables } from '../../../../src/tables/tables.ts'
import { PolicyModel } from '../../../support/policy-lookup.ts'
import { type OracleWorld, oracleAllows } from '../../../support/policy-oracle.ts'
import {
  fillTables,
  markInputs,
  OTHER_NODE,
  OWN,
  POD_CIDRS,
  PORTS,
  randomWorld,
  SELF,
  WORLD,
} from '../../../support/policy-worlds.ts'
import { below, fuzzSeed, pick, randomFrom } from '../../../support/random.ts'

const WORLDS = 420
const PACKETS = 250
const PROTOCOLS = [6, 6, 17, 17, 132, 1, 58]

test(`compiled entries agree with the APIs' text on ${WORLDS * PACKETS} packets`, () => {
  const seed = fuzzSeed()
  for (let at = 0; at < WORLDS; at++) {
    const worldSeed = (seed + at) >>> 0
    const random = randomFrom(worldSeed)
    const world = randomWorld(random)
    const model = compiledModel(world, random)
    const subjects = world.pods.filter(({ nodeName, hostNetwork }) => {
      return nodeName === SELF && !hostNetwork
    })
    if (subjects.length === 0) continue
    for (let n = 0; n < PACKETS; n++) {
      checkPacket({ world, model, random, seed: worldSeed, subject: pick(random, subjects) })
    }
  }
})

function compiledModel(world: OracleWorld, random: () => number): PolicyModel {
  const tables = createTables()
  fillTables(tables, world)
  markInputs(tables)
  const settings = { implicitNamespaces: false, budget: 1e9, many: pick(random, [1, 3, 32]) }
  const compiler = new PolicyCompiler(tables, settings)
  compiler.start()
  compiler.run()
  compiler.stop()
  return new PolicyModel(tables, { own: OWN, nodes: OTHER_NODE, podCidrs: POD_CIDRS })
}

function checkPacket(scene: {
  world: OracleWorld
  model: PolicyModel
  random: () => number
  seed: number
  subject: Pod
}): void {
  const { world, model, random, seed, subject } = scene
  const own = pick(random, subject.addresses)
  const isSameFamily = (address: Address) => address.includes(':') === own.includes(':')
  const peers = world.pods.flatMap((pod) => pod.addresses.map((address) => ({ pod, address })))
  const others = [...OWN, ...OTHER_NODE, ...WORLD].map((address) => ({ pod: undefined, address }))
  const candidates = [...peers, ...others].filter(({ address }) => isSameFamily(address))
  const { pod, address } = pick(random, candidates)
  const peer = { address, pod: pod?.hostNetwork ? undefined : pod }
  const direction = pick(random, ['ingress', 'egress'] as const)
  const protocol = pick(random, PROTOCOLS)
  const port = random() < 0.8 ? pick(random, PORTS) : below(random, 65536)
  // Never asked: a pod about itself, this node about its own pods.
  if (address === own || (direction === 'ingress' && OWN.includes(address))) return
  const question =
    direction === 'ingress'
      ? { source: address, destination: own, protocol, port }
      : { source: own, destination: address, protocol, port }
  const { allowed, entry } = model.ask(direction, question)
  const expected = oracleAllows(world, { subject, peer, direction, protocol, port })
  if (allowed === expected) return
  assert.fail(
    `SEED=${seed}: ${direction} ${JSON.stringify(question)} is ${allowed} by ` +
      `${JSON.stringify(entry)} and should be ${expected}\n${JSON.stringify(world, undefined, 1)}`,
  )
}
