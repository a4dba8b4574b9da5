// `weir cluster`: a real Kubernetes on this machine.
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { Command } from 'commander'
import { exitOf } from '../lab/place.ts'
import { cgroupsOf, inNetworkOf, inNode, placedCommand } from './daemons.ts'
import { uninstallWeir } from './deploy.ts'
import { down } from './down.ts'
import { e2e } from './e2e.ts'
import { kubectl } from './kubectl.ts'
import { apiServerOutage } from './outage.ts'
import { clusterPaths } from './paths.ts'
import { rebootNode } from './reboot.ts'
import { readRecord } from './record.ts'
import { up } from './up.ts'
import { checkTraffic, upgradeUnderTraffic } from './upgrade.ts'

interface UpFlags {
  readonly nodes: string
  readonly weir: boolean
  readonly multus?: boolean
  readonly keep?: boolean
}

interface E2eFlags {
  readonly focus?: string
  readonly processes: string
  readonly reports: string
  readonly resume?: boolean
  readonly table?: string
}

/** The `cluster` command with its subcommands. */
export function clusterCommand(): Command {
  const cluster = new Command('cluster').description('a real Kubernetes on this machine')
  cluster
    .command('up')
    .description('build Kubernetes if needed, start control plane and nodes, deploy Weir')
    .option('--nodes <count>', 'number of nodes', '2')
    .option('--no-weir', 'leave the nodes without a network')
    .option('--multus', 'put Multus around it, for further networks of pods')
    .option('--keep', 'leave what was built when something fails')
    .action(async ({ nodes, weir, multus = false, keep = false }: UpFlags) => {
      const parts = { nodes: Number(nodes), withWeir: weir, withMultus: multus }
      await up({ ...parts, keep, say: console.log })
      console.log(`KUBECONFIG=${clusterPaths().kubeconfig}`)
    })
  cluster
    .command('down')
    .description('remove the cluster, also after a crash; the cache stays')
    .action(async () => {
      console.log((await down()) ? 'The cluster is down' : 'There is no cluster')
    })
  cluster
    .command('status')
    .description('nodes and pods')
    .action(async () => {
      const record = readRecord(clusterPaths().record)
      console.log(await kubectl(record, ['get', 'nodes', '-o', 'wide']))
      console.log(await kubectl(record, ['get', 'pods', '-A', '-o', 'wide']))
    })
  cluster
    .command('exec')
    .description('run a command on a node, or beside the control plane')
    .argument('<target>', 'a node, or control-plane')
    .argument('<command...>', 'after --')
    .action(async (target: string, command: string[]) => {
      process.exitCode = await execOn(target, command)
    })
  cluster
    .command('e2e')
    .description("run Kubernetes' own tests against the cluster")
    .option('--focus <pattern>', 'tests to run; all of [sig-network] without it')
    .option('--processes <count>', 'tests at a time', '2')
    .option('--reports <dir>', 'directory of the JUnit reports and outcomes', '/tmp/weir-e2e')
    .option('--resume', 'leave out what passed in these reports')
    .option('--table <file>', 'write the table of all outcomes in these reports')
    .action(async ({ focus, processes, reports, resume = false, table }: E2eFlags) => {
      process.exitCode = await e2e({
        ...(focus ? { focus } : {}),
        ...(table ? { table } : {}),
        ...{ processes: Number(processes), reports: resolve(reports), resume, say: console.log },
      })
    })
  addTrials(cluster)
  return cluster
}

/** What is done to a running cluster, to see that nothing is lost. */
function addTrials(cluster: Command): void {
  cluster
    .command('upgrade-test')
    .description('roll agents through new images and settings under traffic; count what is lost')
    .option('--rounds <count>', 'rollouts, images and settings in turn', '10')
    .action(async ({ rounds }: { rounds: string }) => {
      const options = { rounds: Number(rounds), say: console.log }
      process.exitCode = await upgradeUnderTraffic(options)
    })
  cluster
    .command('outage-test')
    .description('silence the API server, kill an agent, start a pod; under traffic')
    .option('--seconds <count>', 'how long the API server is silent', '120')
    .action(async ({ seconds }: { seconds: string }) => {
      const options = { seconds: Number(seconds), say: console.log }
      process.exitCode = await apiServerOutage(options)
    })
  cluster
    .command('reboot')
    .description(
      'drain a node, end all its processes and namespaces, start it again from its disks',
    )
    .argument('<node>')
    .action((node: string) => rebootNode(node, console.log))
  cluster
    .command('uninstall')
    .description('take Weir off every node; what is found there after')
    .action(async () => {
      console.log(await uninstallWeir(readRecord(clusterPaths().record)))
    })
  cluster
    .command('check')
    .description('streams between pods, through a Service and NodePorts, for a few seconds')
    .action(async () => {
      process.exitCode = await checkTraffic(console.log)
    })
}

async function execOn(target: string, command: readonly string[]): Promise<number> {
  const { fabric, nodes } = readRecord(clusterPaths().record)
  const node = nodes.find(({ name }) => name === target)
  if (!node && target !== 'control-plane') {
    const names = nodes.map(({ name }) => name).join(', ')
    throw new Error(`Cannot find ${target}: there are ${names} and control-plane`)
  }
  const cgroups = cgroupsOf(target, { isNode: node !== undefined })
  const inside = node ? inNode(node.pid) : inNetworkOf(fabric)
  const child = spawn('sh', placedCommand(cgroups, inside, command), { stdio: 'inherit' })
  return exitOf(child)
}
