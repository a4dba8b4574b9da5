// Name of the host end of a pod's veth: "weir" and 11 hex digits, the 15 bytes the kernel allows.
import { createHash } from 'node:crypto'

/**
 * The same attachment gets the same name, unless the cut hash is taken: then the next of its
 * series.
 */
export function hostIfName(key: string, isTaken: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt++) {
    const text = attempt === 0 ? key : `${key}#${attempt}`
    const name = `weir${createHash('sha256').update(text).digest('hex').slice(0, 11)}`
    if (!isTaken(name)) return name
  }
}
