// This node's own row, remembered on disk: an agent that starts while the API server is away still
// knows its podCIDRs and takes pods. Forgotten when the Node is deleted, for its podCIDRs may then
// be given to another.
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import type { Logger } from 'pino'
import type { Table } from '../../state/table.ts'
import type { Node } from '../../tables/intent.ts'
import { nodeRow } from '../objects.ts'

export interface OwnNodeOptions {
  readonly path: string
  readonly nodeName: string
  readonly nodes: Table<Node>
  readonly log: Pick<Logger, 'info' | 'warn'>
}

/**
 * Puts the remembered row into the table, which stays uninitialized, and writes every later change
 * of the row to disk. Returns the way to stop.
 */
export function rememberOwnNode(options: OwnNodeOptions): () => void {
  const { path, nodeName, nodes, log } = options
  const known = readOwnNode(options)
  if (known) {
    log.info({ node: nodeName, podCidrs: known.podCidrs }, 'Begins with the Node as remembered')
    nodes.upsert(known)
  }
  return nodes.subscribe((key) => {
    if (key !== nodeName) return
    const node = nodes.get(nodeName)
    try {
      if (node) write(path, JSON.stringify(asObject(node)))
      else rmSync(path, { force: true })
    } catch (error) {
      // Only the next start misses it; what runs is not concerned.
      log.warn({ err: error, path }, 'Cannot remember the own Node')
    }
  })
}

/** Undefined when nothing usable is remembered about the node of this name. */
function readOwnNode({ path, nodeName, log }: OwnNodeOptions): Node | undefined {
  try {
    const { row } = nodeRow(JSON.parse(readFileSync(path, 'utf8')))
    return row?.name === nodeName ? row : undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      log.warn({ err: error, path }, 'Cannot read the remembered Node')
    }
    return undefined
  }
}

/** As the API server would have it, so that reading it back passes the same checks. */
function asObject({ name, labels, podCidrs, addresses }: Node) {
  return {
    metadata: { name, labels },
    spec: { podCIDRs: podCidrs },
    status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
  }
}

/** Whole or not at all, also when the machine dies. */
function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  const descriptor = openSync(`${path}.new`, 'w', 0o600)
  try {
    writeSync(descriptor, text)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  renameSync(`${path}.new`, path)
}
