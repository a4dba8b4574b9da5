// `weir bench`: measures this checkout on this machine and prints what it measured.
import { Command } from 'commander'
import { runNodePort } from './nodeport/nodeport.ts'
import { PARTS, type Part, runPolicies } from './policies/policies.ts'
import { formatFigures, formatMarkdown, formatRows } from './report.ts'
import { FULL_SHAPE } from './scale/objects.ts'
import { runScale } from './scale/scale.ts'
import { runServices } from './services/services.ts'
import { runBench } from './suite.ts'

interface Format {
  readonly json?: boolean
  readonly markdown?: boolean
}

interface PathsOptions extends Format {
  readonly rounds: string
  readonly sampleMs: string
  readonly realTime?: boolean
  readonly pods: string
}

interface ScaleFlags extends Format {
  readonly services: string
  readonly endpoints: string
  readonly pods: string
  readonly churn: string
  readonly churnSeconds: string
  readonly nodeFlags: string
}

interface ServicesFlags extends Format {
  readonly services: string
  readonly rounds: string
  readonly sampleMs: string
  readonly churn: string
  readonly churnSeconds: string
  readonly moves: string
  readonly limitS: string
}

interface NodePortFlags extends Format {
  readonly services: string
  readonly rounds: string
  readonly sampleMs: string
}

interface PoliciesFlags extends Format {
  readonly parts: string
  readonly pods: string
  readonly policies: string
  readonly selecting: string
  readonly routerPolicies: string
  readonly rounds: string
  readonly sampleMs: string
  readonly changes: string
  readonly crowd: string
}

const say = (text: string): void => console.error(text)

/** Runs to the end and ends: what is still open must not keep the machine from others. */
async function toTheEnd(work: () => Promise<string>): Promise<void> {
  try {
    console.log(await work())
  } catch (error) {
    console.error((error as Error).message)
    process.exitCode = 1
  }
  process.exit()
}

/** The `bench` command, to be added to the CLI's root command. */
export function benchCommand(): Command {
  const bench = new Command('bench').description('measure this checkout on this machine')
  addPaths(bench)
  addScale(bench)
  addServices(bench)
  addNodePort(bench)
  addPolicies(bench)
  return bench
}

function formatted(command: Command): Command {
  return command.option('-j, --json', 'print JSON').option('--markdown', 'print a Markdown table')
}

function addPaths(bench: Command): void {
  formatted(bench.command('paths', { isDefault: true }))
    .description('latency, throughput, CNI calls and programs beside references')
    .option('--rounds <count>', 'rounds over all paths', '9')
    .option('--sample-ms <ms>', 'length of one sample', '500')
    .option('--real-time', 'client and server ahead of whatever else the machine does')
    .option('--pods <count>', 'pods of the CNI rows', '120')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<PathsOptions>()
      const rows = await runBench({
        rounds: Number(options.rounds),
        sampleMs: Number(options.sampleMs),
        realTime: options.realTime === true,
        pods: Number(options.pods),
        progress: say,
      })
      const format = options.markdown ? formatMarkdown : formatRows
      console.log(options.json ? JSON.stringify(rows, null, 1) : format(rows))
    })
}

function addScale(bench: Command): void {
  formatted(bench.command('scale'))
    .description("the agent's time, memory and CPU with a big cluster's objects")
    .option('--services <count>', 'Services', String(FULL_SHAPE.services))
    .option('--endpoints <count>', 'endpoints of each', String(FULL_SHAPE.endpointsPerService))
    .option('--pods <count>', 'pods', String(FULL_SHAPE.pods))
    .option('--churn <count>', 'slices changed per second', '100')
    .option('--churn-seconds <seconds>', 'length of the churn', '20')
    .option('--node-flags <flags>', "for the agent's Node binary", '')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<ScaleFlags>()
      const run = runScale({
        shape: {
          ...FULL_SHAPE,
          services: Number(options.services),
          endpointsPerService: Number(options.endpoints),
          pods: Number(options.pods),
        },
        churn: Number(options.churn),
        churnSeconds: Number(options.churnSeconds),
        nodeFlags: options.nodeFlags.split(' ').filter((flag) => flag !== ''),
        say,
      })
      await toTheEnd(async () => {
        const figures = await run
        const cells = figures.map(({ way, ...figure }) => ({ ...figure, column: way }))
        return options.json ? JSON.stringify(figures, null, 1) : formatFigures(cells, options)
      })
    })
}

function addServices(bench: Command): void {
  formatted(bench.command('services'))
    .description('Services beside kube-proxy in iptables and nftables mode')
    .option('--services <counts>', 'numbers of Services, comma separated', '1,1000,10000,50000')
    .option('--rounds <count>', 'rounds over all subjects', '9')
    .option('--sample-ms <ms>', 'length of one sample', '500')
    .option('--churn <count>', 'slices changed per second', '100')
    .option('--churn-seconds <seconds>', 'length of the churn', '20')
    .option('--moves <count>', 'timed changes of one slice', '30')
    .option(
      '--limit-s <seconds>',
      'of one sync, or of all moves; what is slower is left out',
      '600',
    )
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<ServicesFlags>()
      const run = runServices({
        sizes: options.services.split(',').map(Number),
        rounds: Number(options.rounds),
        sampleMs: Number(options.sampleMs),
        churn: Number(options.churn),
        churnSeconds: Number(options.churnSeconds),
        moves: Number(options.moves),
        limitMs: Number(options.limitS) * 1000,
        say,
      })
      await toTheEnd(async () => {
        const figures = await run
        const cells = figures.map(({ services, subject, name, ...figure }) => ({
          ...{ ...figure, name: `${services}.${name}` },
          column: subject,
        }))
        return options.json ? JSON.stringify(figures, null, 1) : formatFigures(cells, options)
      })
    })
}

function addNodePort(bench: Command): void {
  formatted(bench.command('nodeport'))
    .description('packets from outside to node ports, beside kube-proxy')
    .option('--services <count>', 'Services beside those that are measured', '1000')
    .option('--rounds <count>', 'rounds over all ways', '5')
    .option('--sample-ms <ms>', 'length of one sample', '100')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<NodePortFlags>()
      const run = runNodePort({
        services: Number(options.services),
        rounds: Number(options.rounds),
        sampleMs: Number(options.sampleMs),
        say,
      })
      await toTheEnd(async () => {
        const figures = await run
        return options.json ? JSON.stringify(figures, null, 1) : formatFigures(figures, options)
      })
    })
}

function addPolicies(bench: Command): void {
  formatted(bench.command('policies'))
    .description('connections and changes under policies, beside kube-router')
    .option('--parts <names>', 'what is measured, comma separated', PARTS.join(','))
    .option('--pods <counts>', 'numbers of pods, a world each', '1000,10000,50000')
    .option('--policies <count>', 'policies of a world, at most one for each pod', '10000')
    .option('--selecting <counts>', 'policies of the pods that talk', '1,100,10000')
    .option('--router-policies <count>', 'kube-router is left out where there are more', '1000')
    .option('--rounds <count>', 'rounds over all paths', '9')
    .option('--sample-ms <ms>', 'length of one sample', '500')
    .option('--changes <count>', 'rounds of eight timed changes', '25')
    .option('--crowd <count>', 'pods of the measured node beside those that talk', '100')
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<PoliciesFlags>()
      const numbers = (text: string) => text.split(',').map(Number)
      const parts = options.parts.split(',') as Part[]
      const unknown = parts.find((part) => !PARTS.includes(part))
      if (unknown !== undefined) command.error(`error: no part ${unknown}: ${PARTS.join(', ')}`)
      const run = runPolicies({
        ...{ parts, pods: numbers(options.pods), policies: Number(options.policies) },
        ...{ selecting: numbers(options.selecting), rounds: Number(options.rounds) },
        routerPolicies: Number(options.routerPolicies),
        ...{ sampleMs: Number(options.sampleMs), changes: Number(options.changes) },
        ...{ crowd: Number(options.crowd), say },
      })
      await toTheEnd(async () => {
        const { paths, figures } = await run
        if (options.json) return JSON.stringify({ paths, figures }, null, 1)
        const formatPaths = options.markdown ? formatMarkdown : formatRows
        const tables = [
          ...(paths.length > 0 ? [formatPaths(paths)] : []),
          ...(figures.length > 0 ? [formatFigures(figures, options)] : []),
        ]
        return tables.join('\n\n')
      })
    })
}
