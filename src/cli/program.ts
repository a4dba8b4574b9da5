// `weir program`: what is attached where, and how often it ran; works without the agent.
import { Command } from 'commander'
import type { ActualProgram } from '../tables/actual.ts'
import { openKernel } from './kernel.ts'
import { print, printJson, printTable } from './output.ts'
import { addTargetOptions, type TargetOptions } from './target.ts'

export function programCommand(): Command {
  const command = new Command('program').description('the programs of this node')
  const list = command
    .command('list')
    .description('every program: hook, devices, size, and run time where the kernel counts it')
    .action(async (_options, self: Command) => listPrograms(self.optsWithGlobals()))
  addTargetOptions(list)
  return command
}

async function listPrograms(options: TargetOptions): Promise<void> {
  const { inspected } = await openKernel(options)
  const { listPrograms: read } = await import('../datapath/programs.ts')
  const programs = read(inspected)
  if (programs.length === 0) {
    throw new Error(`Cannot list programs: nothing is pinned under ${inspected.bpfRoot}`)
  }
  if (options.json) {
    printJson(programs)
    return
  }
  printTable(
    ['PROGRAM', 'ID', 'HOOK', 'ON', 'VERIFIED', 'CODE', 'RUNS', 'NS/RUN'],
    programs.map((program) => [
      ...[program.name, program.id, program.hook, shorten(program.places)],
      ...[program.verifiedInstructions, `${program.jitedBytes} B`],
      ...[program.runs, nsPerRun(program)],
    ]),
  )
  if (programs.every(({ runs }) => runs === 0)) {
    print('\nRuns are counted while sysctl kernel.bpf_stats_enabled is 1.')
  }
}

const MAX_SHOWN = 3

/** "weir1a, weir2b, weir3c (+107)": a node has a veth for each pod. */
function shorten(places: readonly string[]): string {
  const more = places.length - MAX_SHOWN
  const shown = places.slice(0, MAX_SHOWN).join(', ') || '-'
  return more > 0 ? `${shown} (+${more})` : shown
}

function nsPerRun({ runs, timeNs }: ActualProgram): string {
  return runs === 0 ? '-' : (Number(timeNs) / runs).toFixed(0)
}
