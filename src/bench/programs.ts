// What one packet costs in a program: BPF_PROG_TEST_RUN, beside a program that does nothing, in
// turn, and medians are quoted. Most programs rewrite their packet such that a second run on it
// would go another way, so a sample is one run on a fresh frame, clock included; where it would
// not, a sample is the mean of many runs. Run as a file it prints the rows.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import * as layout from '../datapath/layout.gen.ts'
import { projectRoot } from '../lab/paths.ts'
import { KernelError } from '../libbpf/errors.ts'
import { openLibrary } from '../libbpf/library.ts'
import { BpfObject } from '../libbpf/object.ts'
import type { Program, TestRun, TestRunResult } from '../libbpf/program.ts'
import { type BenchRow, quantile } from './measure.ts'
import {
  fillScene,
  makeUplink,
  type ProgramCase,
  programCases,
  sceneConfig,
  UPLINK,
} from './program-cases.ts'

const REDIRECT = 7
const XDP_TX = 3
const XDP_MD_BYTES = 24
const XDP_MD_DATA_END = 4
const XDP_MD_INGRESS_IFINDEX = 12
/** However many runs a sample holds. */
const MIN_SAMPLES = 50
const FILE = fileURLToPath(import.meta.url)

/** The rows, measured by a process in a network namespace of its own. Throws as it says. */
export async function measurePrograms(): Promise<BenchRow[]> {
  const command = ['--net', process.execPath, FILE]
  const { stdout } = await promisify(execFile)('unshare', command)
  return JSON.parse(stdout) as BenchRow[]
}

/** Measures every case `samples` times. Loads an object of its own and attaches nothing. */
export function timePrograms(samples = 5000): BenchRow[] {
  const library = openLibrary()
  using empty = BpfObject.open(library, join(projectRoot(), 'bpf/out/empty.bpf.o'))
  using object = BpfObject.open(library, join(projectRoot(), 'bpf/out/weir.bpf.o'))
  const { section, offset } = layout.globals.config
  const constants = object.initialData(section)
  constants.set(layout.config.toBytes(sceneConfig()), offset)
  object.setData(section, constants)
  empty.load()
  object.load()
  makeUplink()
  fillScene(object)
  using nothing = empty.program('empty')
  using nothingXdp = empty.program('empty_xdp')
  return programCases(object).map((each) =>
    timeCase(object, each, { sched_cls: nothing, xdp: nothingXdp }, samples),
  )
}

function timeCase(
  object: BpfObject,
  { name, program: programName, frame, prepare, repeat = 1 }: ProgramCase,
  empty: { readonly sched_cls: Program; readonly xdp: Program },
  samples: number,
): BenchRow {
  using program = object.program(programName)
  const isXdp = program.type === 'xdp'
  const nothing = isXdp ? empty.xdp : empty.sched_cls
  const run = { data: frame, repeat, ...(isXdp ? { context: xdpContext(frame) } : {}) }
  const rounds = Math.max(MIN_SAMPLES, Math.ceil(samples / repeat))
  const times: number[] = []
  const emptyTimes: number[] = []
  for (let sample = 0; sample < rounds; sample++) {
    prepare?.()
    emptyTimes.push(runToEnd(nothing, run).durationNs)
    const { returnValue, durationNs } = runToEnd(program, run)
    if (returnValue !== (isXdp ? XDP_TX : REDIRECT)) {
      throw new Error(`Cannot measure ${programName}: ${name} is not forwarded (${returnValue})`)
    }
    times.push(durationNs)
  }
  const [value, referenceValue] = [quantile(times, 0.5), quantile(emptyTimes, 0.5)]
  return {
    name: `program.${programName}.${name}.ns`,
    ...{ value, unit: 'ns' },
    ...{ reference: 'empty program', referenceValue, ratio: value / referenceValue },
  }
}

/** A run that a signal cut short (Node's own, under load) is none. */
function runToEnd(program: Program, run: TestRun): TestRunResult {
  for (;;) {
    try {
      return program.testRun(run)
    } catch (error) {
      if (!(error instanceof KernelError && error.code === 'EINTR')) throw error
    }
  }
}

/** struct xdp_md of a frame that arrives on the uplink. */
function xdpContext(frame: Uint8Array): Uint8Array {
  const context = new Uint8Array(XDP_MD_BYTES)
  const view = new DataView(context.buffer)
  view.setUint32(XDP_MD_DATA_END, frame.length, true)
  view.setUint32(XDP_MD_INGRESS_IFINDEX, UPLINK, true)
  return context
}

if (process.argv[1] === FILE) console.log(JSON.stringify(timePrograms()))
