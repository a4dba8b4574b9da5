// Is this path a network namespace a pod may live in? After a reboot the runtime's bind mounts are
// plain empty files, so existing is not enough.
import { statfsSync, statSync } from 'node:fs'
import { CniError, CODE } from './error.ts'

/** NSFS_MAGIC of linux/magic.h. */
const NSFS = 0x6e736673

/**
 * Throws code 3 when nothing is there, 4 when it is no namespace, 8 when it is the agent's own.
 * That it is a *network* namespace is found when it is entered.
 */
export function checkNetns(path: string, { override = false } = {}): void {
  let type: number
  try {
    type = statfsSync(path).type
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error)
    throw new CniError(CODE.unknownContainer, `Cannot open CNI_NETNS "${path}": ${reason}`)
  }
  if (type !== NSFS) {
    throw new CniError(CODE.environment, `Cannot use CNI_NETNS "${path}": it is not a namespace`)
  }
  if (!override && sameFile(path, '/proc/self/ns/net')) {
    throw new CniError(CODE.ownNetns, `Cannot use CNI_NETNS "${path}": it is the node's own`)
  }
}

function sameFile(one: string, other: string): boolean {
  const [a, b] = [statSync(one, { bigint: true }), statSync(other, { bigint: true })]
  return a.ino === b.ino && a.dev === b.dev
}
