// Processes by pid and start time: a pid alone may have been given to somebody else meanwhile.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export interface ProcessIdentity {
  readonly pid: number
  /** Field 22 of /proc/PID/stat, clock ticks since boot. */
  readonly startTime: string
}

/** Identity of a running process, or undefined if there is none (a zombie counts as none). */
export function identify(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command name may hold spaces and brackets: fields are counted from its end.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const startTime = fields[19]
    return startTime === undefined || fields[0] === 'Z' ? undefined : { pid, startTime }
  } catch {
    return undefined
  }
}

export function isAlive({ pid, startTime }: ProcessIdentity): boolean {
  return identify(pid)?.startTime === startTime
}

/** Signals the process if it is still the same one. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isAlive(identity)) return
  try {
    process.kill(identity.pid, signal)
  } catch {
    // It ended between the look and the signal.
  }
}

/** Ends the process: asks first when `graceMs` is given, then kills. Resolves when it is gone. */
export async function endProcess(identity: ProcessIdentity, graceMs = 0): Promise<void> {
  if (graceMs > 0) {
    signalProcess(identity, 'SIGTERM')
    await waitUntil(() => !isAlive(identity), graceMs)
  }
  signalProcess(identity, 'SIGKILL')
  await waitUntil(() => !isAlive(identity), 5000)
}

/** Looks every few milliseconds; whether the condition came true in time. */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
  everyMs = 20,
): Promise<boolean> {
  for (const until = Date.now() + timeoutMs; ; await sleep(everyMs)) {
    if (await condition()) return true
    if (Date.now() >= until) return false
  }
}
