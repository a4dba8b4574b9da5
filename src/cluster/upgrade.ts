// Rolling upgrades of the agents under traffic: `kubectl set image` and a changed ConfigMap in
// turn, while streams count what they lose.
import { setTimeout as sleep } from 'node:timers/promises'
import { fullName, WEIR_IMAGE } from './image-names.ts'
import { kubectl } from './kubectl.ts'
import { nameImage } from './node.ts'
import { clusterPaths } from './paths.ts'
import { type ClusterRecord, readRecord } from './record.ts'
import { describeStreams, removeStreams, startStreams } from './streams.ts'

export interface UpgradeOptions {
  readonly rounds: number
  readonly say: (line: string) => void
}

const DAEMONSET = ['daemonset/weir', '-n', 'weir']
/** The same image under another name: to Kubernetes a new version. */
const OTHER_IMAGE = 'weir:upgrade'
const ROLLOUT_MS = 300_000
const SETTLE_MS = 2000

/** 0 when no stream lost a packet or a connection. */
export async function upgradeUnderTraffic({ rounds, say }: UpgradeOptions): Promise<number> {
  const record = readRecord(clusterPaths().record)
  for (const node of record.nodes) {
    await nameImage(node, fullName(WEIR_IMAGE), [fullName(OTHER_IMAGE)])
  }
  return underTraffic(record, say, async () => {
    for (let round = 1; round <= rounds; round++) {
      const startMs = performance.now()
      const change =
        round % 2 === 1 ? await setImage(record, round) : await setConfig(record, round)
      const status = ['rollout', 'status', ...DAEMONSET, `--timeout=${ROLLOUT_MS / 1000}s`]
      await kubectl(record, status, undefined, ROLLOUT_MS)
      const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
      say(`round ${round}: ${change}: rolled out in ${seconds} s`)
    }
  })
}

/** Traffic and nothing else: whether the cluster works. */
export function checkTraffic(say: (line: string) => void): Promise<number> {
  const record = readRecord(clusterPaths().record)
  return underTraffic(record, say, () => sleep(3000))
}

/** Does something under streams, tells what they lost; 0 when nothing. */
export async function underTraffic(
  record: ClusterRecord,
  say: (line: string) => void,
  work: () => Promise<void>,
): Promise<number> {
  const streams = await startStreams(record, say)
  let text = ''
  let ok = false
  try {
    // Before and after, so that a stream that never began cannot pass.
    await sleep(SETTLE_MS)
    await work()
    await sleep(SETTLE_MS)
  } finally {
    const reports = await Promise.all(streams.map(({ stop }) => stop()))
    ;({ text, ok } = describeStreams(reports))
    say(`\n${text}`)
    await removeStreams(record)
  }
  return ok ? 0 : 1
}

/** An image and then the other, so that each is a change. */
async function setImage(record: ClusterRecord, round: number): Promise<string> {
  const image = round % 4 === 1 ? OTHER_IMAGE : WEIR_IMAGE
  const containers = ['agent', 'install-cni'].map((name) => `${name}=${image}`)
  await kubectl(record, ['set', 'image', ...DAEMONSET, ...containers])
  return `image ${image}`
}

/** A setting, and the restart that reads it. */
async function setConfig(record: ClusterRecord, round: number): Promise<string> {
  const seconds = String(120 + round)
  const patch = JSON.stringify({ data: { WEIR_RESYNC_SECONDS: seconds } })
  await kubectl(record, ['patch', 'configmap', 'weir', '-n', 'weir', '-p', patch])
  await kubectl(record, ['rollout', 'restart', ...DAEMONSET])
  return `WEIR_RESYNC_SECONDS ${seconds}`
}
