// Where the cluster's wishes come from: a directory of manifests or an API server, behind one
// interface. A source writes intent rows and tells how it fares; nobody else reads a
// Kubernetes object.

export interface Source {
  /** Begins to fill the intent tables and to keep them so. Resolves once running, synced or not. */
  start(): Promise<void>
  /** Ends; the rows stay. */
  stop(): Promise<void>
  health(): SourceHealth
}

export interface SourceHealth {
  readonly kind: 'manifests' | 'kubernetes'
  /** The directory, or the API server in use and how it was found. */
  readonly location: string
  /** True once every table has had its first complete list. */
  readonly synced: boolean
  /** When it was last known to be up to date, ms since the epoch. */
  readonly lastSyncAt?: number
  /** Objects read, by kind. */
  readonly objects: Readonly<Record<string, number>>
  /** How each watch fares; absent for manifests. */
  readonly kinds?: readonly KindHealth[]
  /** What a person must put right. Rows that were good before are kept meanwhile. */
  readonly errors: readonly SourceProblem[]
  /** What is read and understood but not done: unsupported protocols, ignored kinds. */
  readonly notes: readonly SourceProblem[]
}

export interface SourceProblem {
  /** "web.yaml:12 (document 2)", or empty when it concerns the whole source. */
  readonly where: string
  /** One sentence that names the object, the field and what to do. */
  readonly message: string
}

/** The list and watch of one kind. */
export interface KindHealth {
  readonly kind: string
  /** Its first list is complete. */
  readonly synced: boolean
  /** Since the server last said anything about it, bookmarks included, ms; absent: never. */
  readonly contactAgeMs?: number
  /** Since its last event, ms; absent: none yet. */
  readonly eventAgeMs?: number
  /** Watches resumed and lists made after the first. */
  readonly reconnects: number
  readonly relists: number
  /** Answers and events that could not be understood; each led to a new list. */
  readonly garbled: number
  /** Objects that cannot be used, by name; their earlier rows are kept. */
  readonly badObjects: readonly string[]
}
