// A second network namespace beside the test's own, held by a child that ends with the test.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

export interface PodNetns {
  /** For Netlink.open and createVeth. */
  readonly path: string
  end(): Promise<void>
}

/** Call it after enterOwnNetns(). */
export async function startPodNetns(): Promise<PodNetns> {
  const child = spawn('unshare', ['-n', 'sh', '-c', 'echo ready; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return { path: `/proc/${child.pid}/ns/net`, end: () => end(child) }
}

async function end(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close')
  child.stdin?.end()
  await closed
}
