// Which agent and which pinned maps a command looks at: this node's, those of a node of the lab, or
// those that were named.
import { type Command, Option } from 'commander'

/** What every command that looks at a node takes. */
export interface TargetOptions {
  readonly socket?: string
  readonly bpfRoot?: string
  readonly labNode?: string
  readonly json?: boolean
}

export interface Target {
  readonly socket: string
  readonly bpfRoot: string
  /** Path of the network namespace of a lab's node; absent on a real one, which is in its own. */
  readonly netns?: string
}

const SOCKET = '/run/weir/weir.sock'
const BPF_ROOT = '/sys/fs/bpf/weir'

/** Adds -j, --socket, --bpf-root and --lab-node; they may stand before or after the command. */
export function addTargetOptions(command: Command): Command {
  return command
    .option('-j, --json', 'print JSON')
    .addOption(new Option('--socket <path>', `the agent's socket (${SOCKET})`).env('WEIR_SOCKET'))
    .addOption(
      new Option('--bpf-root <dir>', `where the maps are pinned (${BPF_ROOT})`).env(
        'WEIR_BPF_ROOT',
      ),
    )
    .addOption(
      new Option('--lab-node <node>', 'a node of the lab: NODE or LAB/NODE').env('WEIR_LAB_NODE'),
    )
}

/** Resolves the options. Throws when the lab's node is not there or not one. */
export async function findTarget({ socket, bpfRoot, labNode }: TargetOptions): Promise<Target> {
  const node = labNode === undefined ? undefined : await findLabNode(labNode)
  return {
    socket: socket ?? node?.socket ?? SOCKET,
    bpfRoot: bpfRoot ?? node?.bpfRoot ?? BPF_ROOT,
    ...(node ? { netns: node.netns } : {}),
  }
}

async function findLabNode(text: string) {
  const { listLabs, readRecord } = await import('../lab/record.ts')
  const { netnsPath } = await import('../lab/paths.ts')
  const [first = '', second] = text.split('/')
  const [lab, name] = second === undefined ? [undefined, first] : [first, second]
  const labs = listLabs().filter((each) => lab === undefined || each === lab)
  const nodes = labs.flatMap((each) =>
    readRecord(each).nodes.map((node) => ({
      ...node,
      netns: netnsPath(node.netns),
      path: `${each}/${node.name}`,
    })),
  )
  const found = nodes.filter((node) => node.name === name)
  const [node, another] = found
  if (node && !another) return node
  const known = (node ? found : nodes).map(({ path }) => path).join(', ') || 'none'
  const state = node ? `several labs have it (${known})` : `there is no such node (there: ${known})`
  throw new Error(`Cannot look at lab node "${text}": ${state}`)
}
