// A packet fixture: frames into programs, and what must come of them: verdict, whole frame, flows,
// drops by reason. Written once and run for IPv4 and IPv6.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as layout from '../../src/datapath/layout.gen.ts'
import { arriveAtXdp } from './hook.ts'
import { assertFrame } from './packet.ts'
import { type MapRows, SIDES, type Side } from './topology.ts'
import type { Action, RunResult, World } from './world.ts'

export interface Step {
  readonly program: string
  /** Device on whose hook the program runs. */
  readonly on: number
  readonly frame: Uint8Array
  /** The frame stands for many segments of so many bytes of payload, which are cut later. */
  readonly gsoSize?: number
  readonly action: Action
  /**
   * The whole frame afterwards; a function when a part of it is the program's free choice.
   * Default: as it came. A dropped frame is not looked at.
   */
  readonly out?: Uint8Array | ((actual: Uint8Array) => Uint8Array)
  /** XDP sends it on by itself, where it is on; else it leaves it to tc as it came, or drops it. */
  readonly sentByXdp?: boolean
  /** Done before the packet: new rows, another epoch. */
  readonly before?: (world: World) => void
}

/** What meets a packet that comes by the uplink first; with XDP tc meets what that leaves. */
export type Hook = 'tc' | 'XDP'
export const BOTH_HOOKS: readonly Hook[] = ['tc', 'XDP']

/** Fields of a flow that a fixture cares for; the key and the translated tuple always. */
export type ExpectedFlow = Partial<layout.Flow> & {
  readonly key: layout.Tuple
  readonly out: layout.Tuple
}

export type DropCounts = Partial<Record<keyof typeof layout.DropReason, number>>

export interface Fixture {
  readonly name: string
  /** Default: both. */
  readonly families?: readonly number[]
  readonly rows?: (side: Side) => Partial<MapRows>
  readonly steps: (side: Side) => readonly Step[]
  /** All entries of the flow table afterwards, in any order. */
  readonly flows?: (side: Side) => readonly ExpectedFlow[]
  /** The same of the unanswered ones. */
  readonly embryos?: (side: Side) => readonly ExpectedFlow[]
  /** All drops. Default: none. */
  readonly drops?: DropCounts
}

/** Declares the tests: one a family and hook. What never comes by the uplink is tc's alone. */
export function runFixtures(
  world: World,
  fixtures: readonly Fixture[],
  hooks: readonly Hook[] = ['tc'],
): void {
  for (const fixture of fixtures) {
    for (const side of SIDES) {
      if (fixture.families && !fixture.families.includes(side.family)) continue
      const isXdps = fixture.steps(side).some(({ program }) => program === ARRIVES)
      for (const hook of isXdps ? hooks : hooks.slice(0, 1)) {
        const met = isXdps ? `${hook}: ` : 'never by the uplink: '
        const name = `${hooks.length > 1 ? met : ''}${fixture.name} (IPv${side.family})`
        test(name, () => runFixture(world, fixture, side, hook))
      }
    }
  }
}

const ARRIVES = 'from_uplink'

function runFixture(world: World, fixture: Fixture, side: Side, hook: Hook): void {
  world.reset(fixture.rows?.(side))
  for (const [index, step] of fixture.steps(side).entries()) {
    step.before?.(world)
    const { action, frame } = runStep(world, step, hook)
    assert.equal(action, step.action, `verdict of step ${index + 1}: ${dropNames(world)}`)
    if (step.action === 'SHOT') continue
    const { out = step.frame } = step
    assertFrame(frame, typeof out === 'function' ? out(frame) : out)
  }
  assert.deepEqual(drops(world), fixture.drops ?? {})
  if (fixture.flows) assertFlows(world, layout.maps.flows, fixture.flows(side))
  if (fixture.embryos) assertFlows(world, layout.maps.embryos, fixture.embryos(side))
}

function runStep(world: World, step: Step, hook: Hook): RunResult {
  const early = hook === 'XDP' && step.program === ARRIVES && arriveAtXdp(world, step)
  return early || world.run(step.program, step.frame, step.on, step.gsoSize)
}

function assertFlows(
  world: World,
  map: typeof layout.maps.flows | typeof layout.maps.embryos,
  expected: readonly ExpectedFlow[],
): void {
  const entries = [...world.entries<layout.Tuple, layout.Flow>(map).entries()]
  const text = (tuple: layout.Tuple): string => {
    const { source, sourcePort, destination, destinationPort, protocol } = tuple
    return `${source} ${sourcePort} > ${destination} ${destinationPort} ${protocol}`
  }
  assert.deepEqual(
    entries.map(([key, { out }]) => `${text(key)} => ${text(out)}`).sort(),
    expected.map(({ key, out }) => `${text(key)} => ${text(out)}`).sort(),
    map.name,
  )
  for (const { key, ...wanted } of expected) {
    const [, flow] = entries.find(([found]) => text(found) === text(key)) ?? []
    const actual = Object.fromEntries(
      Object.keys(wanted).map((name) => [name, flow?.[name as keyof layout.Flow]]),
    )
    assert.deepEqual(actual, wanted, `${map.name}: ${text(key)}`)
  }
}

/** Drops so far, by the reason's name. */
export function drops(world: World): DropCounts {
  const counts: Record<string, number> = {}
  for (const { slot, packets } of world.counters()) {
    const name = layout.dropReasonNames.get(slot)
    if (name === undefined) continue
    counts[name] = (counts[name] ?? 0) + packets
  }
  return counts
}

function dropNames(world: World): string {
  return `drops so far: ${Object.keys(drops(world)).join(', ') || 'none'}`
}

export function reverse(tuple: layout.Tuple): layout.Tuple {
  return {
    source: tuple.destination,
    destination: tuple.source,
    sourcePort: tuple.destinationPort,
    destinationPort: tuple.sourcePort,
    protocol: tuple.protocol,
  }
}
