// Packets that two CPUs meet at the same time: a thread for each, which wait for one another before
// every packet.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { openLibrary } from '../../src/libbpf/library.ts'
import { Program } from '../../src/libbpf/program.ts'
import type { Step } from './fixture.ts'
import { actionOf, skBuff, type World } from './world.ts'

type Met = Pick<Step, 'program' | 'on' | 'frame'>

interface Lane {
  readonly runs: readonly {
    readonly fd: number
    readonly context: Uint8Array
    readonly frame: Uint8Array
  }[]
  /** How often one of the two has come to a meeting. */
  readonly come: Int32Array
}

/** Runs both packets of each pair at once, pair after pair; their verdicts. */
export async function meet(
  world: World,
  pairs: readonly (readonly [Met, Met])[],
): Promise<string[][]> {
  const come = new Int32Array(new SharedArrayBuffer(4))
  const lanes = ([0, 1] as const).map((side) =>
    runLane({ come, runs: pairs.map((pair) => runOf(world, pair[side])) }),
  )
  const [first = [], second = []] = await Promise.all(lanes)
  return first.map((verdict, at) => [verdict, second[at] ?? -1].map(actionOf))
}

function runOf(world: World, { program, on, frame }: Met): Lane['runs'][number] {
  return { fd: world.program(program).fd, context: skBuff(on), frame }
}

function runLane(lane: Lane): Promise<number[]> {
  const worker = new Worker(new URL(import.meta.url), { workerData: lane })
  return new Promise((resolve, reject) => {
    worker.once('message', resolve).once('error', reject)
  })
}

function walkLane({ runs, come }: Lane): number[] {
  const programs = new Map<number, Program>()
  const library = openLibrary()
  return runs.map(({ fd, context, frame }, at) => {
    const program = programs.get(fd) ?? new Program(library, fd)
    programs.set(fd, program)
    Atomics.add(come, 0, 1)
    while (Atomics.load(come, 0) < 2 * (at + 1));
    return program.testRun({ data: frame, context }).returnValue
  })
}

if (!isMainThread) parentPort?.postMessage(walkLane(workerData as Lane))
