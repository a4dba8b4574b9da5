// The pinned maps of a node, read without its agent. The native library is loaded only here and
// only when a command asks, so that the others start fast.
import type { Inspected } from '../datapath/inspect.ts'
import { findTarget, type TargetOptions } from './target.ts'

export type Inspector = typeof import('../datapath/inspect.ts')

/** The functions of datapath/inspect.ts, and what to hand them. */
export async function openKernel(
  options: TargetOptions,
): Promise<{ inspect: Inspector; inspected: Inspected & { netns?: string } }> {
  const { bpfRoot, netns } = await findTarget(options)
  const [inspect, { openLibrary }] = await Promise.all([
    import('../datapath/inspect.ts'),
    import('../libbpf/library.ts'),
  ])
  const place = netns === undefined ? {} : { netns }
  return { inspect, inspected: { library: openLibrary(), bpfRoot, ...place } }
}
