// Seeded random numbers, so that a failing sequence can be run again by its seed.

/** Numbers in [0, 1) from a seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** A whole number in [0, below). */
export function below(random: () => number, limit: number): number {
  return Math.floor(random() * limit)
}

/** One element of a list that is not empty. */
export function pick<T>(random: () => number, list: readonly T[]): T {
  const element = list[below(random, list.length)]
  if (element === undefined) throw new Error('Cannot pick from an empty list')
  return element
}

export function bytes(random: () => number, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => below(random, 256))
}

/** A new seed, or the one in the environment variable SEED. */
export function fuzzSeed(): number {
  return Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 32))
}
