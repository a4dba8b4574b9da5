// Maglev's lookup table (Eisenbud et al., NSDI 2016, 3.4): backends take turns to pick their next
// preferred free slot, so each gets an equal share, and one that goes leaves the others' slots
// nearly alone. The same backends give the same table on every node.
import { formatAddressPort } from '../net/address.ts'
import type { Backend } from '../tables/desired.ts'

/**
 * The backend of every slot. `size` is a prime, so that every preference list visits every slot;
 * the order of `backends` does not matter. Empty without backends.
 */
export function fillMaglev(backends: readonly Backend[], size: number): Backend[] {
  const turns = backends.map((backend) => preferences(backend, size))
  turns.sort((a, b) => (a.name < b.name ? -1 : 1))
  const table: Backend[] = new Array(backends.length > 0 ? size : 0)
  for (let filled = 0; filled < table.length; ) {
    for (const turn of turns) {
      if (filled === table.length) break
      while (table[turn.slot] !== undefined) turn.slot = (turn.slot + turn.step) % size
      table[turn.slot] = turn.backend
      filled++
    }
  }
  return table
}

interface Preferences {
  readonly backend: Backend
  readonly name: string
  slot: number
  readonly step: number
}

function preferences(backend: Backend, size: number): Preferences {
  const name = formatAddressPort(backend.address, backend.port)
  const step = (hash(name, 0x9747b28c) % (size - 1)) + 1
  return { backend, name, slot: hash(name, 0x811c9dc5) % size, step }
}

/** FNV-1a with another beginning for another hash, and a finish that spreads short names. */
function hash(text: string, beginning: number): number {
  let value = beginning
  for (let at = 0; at < text.length; at++) {
    value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}
