// Where the cluster's wishes come from: a directory of manifests now, the Kubernetes API later,
// behind one interface. A source writes intent rows and tells how it fares; nobody else reads a
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
  /** Directory or API server. */
  readonly location: string
  /** True once every table has had its first complete list. */
  readonly synced: boolean
  /** End of the last complete look, ms since the epoch. */
  readonly lastSyncAt?: number
  /** Objects read, by kind. */
  readonly objects: Readonly<Record<string, number>>
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
