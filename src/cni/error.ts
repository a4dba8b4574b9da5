// What a CNI call fails with: a number the runtime acts on, and a sentence for people.

/** Codes of the specification (below 100) and Weir's own (100 and above). */
export const CODE = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  environment: 4,
  io: 5,
  decode: 6,
  config: 7,
  /** Not in the specification's table; libcni uses it for "that is the plugin's own namespace". */
  ownNetns: 8,
  tryAgain: 11,
  notAvailable: 50,
  internal: 999,
  /** The kernel refused; the message quotes it. */
  kernel: 100,
  /** This container already has this interface. */
  exists: 101,
  /** CHECK found a difference; `details` has one line for each. */
  differs: 102,
} as const

export class CniError extends Error {
  readonly code: number
  readonly details: string | undefined

  constructor(code: number, message: string, details?: string) {
    super(message)
    this.code = code
    this.details = details
  }
}
