// `weir metrics`: what the programs count, drops first; from the pinned map, so without the agent
// too.
import { Command } from 'commander'
import { openKernel } from './kernel.ts'
import { printJson, printTable } from './output.ts'
import { addTargetOptions, type TargetOptions } from './target.ts'

export function metricsCommand(): Command {
  const command = new Command('metrics')
    .description('packets dropped by reason, and forwarded, since the maps were made')
    .action(async (_options, self: Command) => {
      const options = self.optsWithGlobals<TargetOptions>()
      const { inspect, inspected } = await openKernel(options)
      const counts = inspect
        .countPackets(inspected)
        .filter(({ packets }) => packets > 0n)
        .sort((a, b) => Number(a.reason === 'none') - Number(b.reason === 'none'))
      if (options.json) {
        printJson(counts)
        return
      }
      printTable(
        ['REASON', 'DIRECTION', 'PACKETS', 'BYTES'],
        counts.map(({ reason, direction, packets, bytes }) => [
          ...[reason === 'none' ? '(forwarded)' : reason, direction, packets, bytes],
        ]),
      )
    })
  return addTargetOptions(command)
}
