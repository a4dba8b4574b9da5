// What one packet costs in a program: BPF_PROG_TEST_RUN, beside a program that does nothing.
// A program rewrites its packet, so a second run on it would go another way: each sample is one
// run on a fresh frame, in turn with the empty program, and medians are quoted.
import { join } from 'node:path'
import * as layout from '../datapath/layout.gen.ts'
import { projectRoot } from '../lab/paths.ts'
import { openLibrary } from '../libbpf/library.ts'
import { BpfObject } from '../libbpf/object.ts'
import type { Program } from '../libbpf/program.ts'
import { fillScene, type ProgramCase, programCases, sceneConfig } from './program-cases.ts'

export interface ProgramTime {
  /** As in the bench's rows: "from_pod.established-ipv4". */
  readonly name: string
  /** Median of one run. */
  readonly ns: number
  /** The same of a program that returns at once, on the same frame. */
  readonly emptyNs: number
}

const REDIRECT = 7

/** Measures every case `samples` times. Loads an object of its own and attaches nothing. */
export function timePrograms(samples = 5000): ProgramTime[] {
  const library = openLibrary()
  using empty = BpfObject.open(library, join(projectRoot(), 'bpf/out/empty.bpf.o'))
  using object = BpfObject.open(library, join(projectRoot(), 'bpf/out/weir.bpf.o'))
  const { section, offset } = layout.globals.config
  const constants = object.initialData(section)
  constants.set(layout.config.toBytes(sceneConfig()), offset)
  object.setData(section, constants)
  empty.load()
  object.load()
  fillScene(object)
  using nothing = empty.program('empty')
  return programCases(object).map((each) => timeCase(object, each, nothing, samples))
}

function timeCase(
  object: BpfObject,
  { name, program: programName, frame, prepare }: ProgramCase,
  nothing: Program,
  samples: number,
): ProgramTime {
  using program = object.program(programName)
  prepare?.()
  const { returnValue } = program.testRun({ data: frame })
  if (returnValue !== REDIRECT) {
    throw new Error(`Cannot measure ${programName}: ${name} is not forwarded (${returnValue})`)
  }
  const times: number[] = []
  const emptyTimes: number[] = []
  for (let sample = 0; sample < samples; sample++) {
    prepare?.()
    emptyTimes.push(nothing.testRun({ data: frame }).durationNs)
    times.push(program.testRun({ data: frame }).durationNs)
  }
  return { name: `${programName}.${name}`, ns: median(times), emptyNs: median(emptyTimes) }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
