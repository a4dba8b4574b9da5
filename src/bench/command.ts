// `weir bench`: measures this checkout on this machine and prints the rows.
import { Command } from 'commander'
import { formatMarkdown, formatRows } from './report.ts'
import { runBench } from './suite.ts'

interface Options {
  readonly json?: boolean
  readonly markdown?: boolean
  readonly rounds: string
  readonly sampleMs: string
  readonly pods: string
}

/** The `bench` command, to be added to the CLI's root command. */
export function benchCommand(): Command {
  return new Command('bench')
    .description('measure latency, throughput, CNI calls and programs beside references')
    .option('-j, --json', 'rows as JSON')
    .option('--markdown', 'rows as a Markdown table')
    .option('--rounds <count>', 'rounds over all paths', '9')
    .option('--sample-ms <ms>', 'length of one sample', '500')
    .option('--pods <count>', 'pods of the CNI rows', '120')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>()
      const rows = await runBench({
        rounds: Number(options.rounds),
        sampleMs: Number(options.sampleMs),
        pods: Number(options.pods),
        progress: (text) => console.error(text),
      })
      const format = options.markdown ? formatMarkdown : formatRows
      console.log(options.json ? JSON.stringify(rows, null, 1) : format(rows))
    })
}
