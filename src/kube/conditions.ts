// What people should hear of where they look first: at the object that it concerns. Only an API
// server has such a place, its Events; weir status says the same of every agent.

export interface Condition {
  /** One word for all of its kind: "ServiceNotServed". */
  readonly reason: string
  readonly about: ObjectReference
  /** One sentence. */
  readonly text: string
}

/** A condition of what is asked after elsewhere. */
export type Problem = Pick<Condition, 'reason' | 'text'>

export interface ObjectReference {
  readonly apiVersion: string
  readonly kind: string
  /** Absent: it is in none. */
  readonly namespace?: string
  readonly name: string
  /** By which kubectl describe finds what is said of it. */
  readonly uid: string
}
