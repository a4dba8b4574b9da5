// Moves this test process into a network namespace of its own, which ends with the process.
// unshare(2) moves the calling thread only; Node starts child processes from it, so they follow.
import { execFileSync } from 'node:child_process'
import koffi from 'koffi'

const CLONE_NEWNET = 0x40000000

/** Call it before anything else that touches the network. Needs root. */
export function enterOwnNetns(): void {
  const unshare = koffi.load('libc.so.6').func('int unshare(int flags)')
  if (unshare(CLONE_NEWNET) !== 0) throw new Error('Cannot make a network namespace: not root')
}

/** Runs iproute2 in it; one command a line. */
export function ip(batch: string): void {
  execFileSync('ip', ['-batch', '-'], { input: batch, stdio: ['pipe', 'inherit', 'inherit'] })
}
