// What the API serves from: everything is passed in by main.ts, so this room meets the datapath and
// CNI only through the types of tables/.
import type { IncomingHttpHeaders } from 'node:http'
import type { Logger } from '../observe/log.ts'
import type {
  ActualDestination,
  ActualEndpoint,
  ActualFrontend,
  ActualIdentities,
  ActualMap,
  ActualPodPolicy,
  ActualRoute,
  DatapathEvent,
  FlowCounts,
  PacketCount,
} from '../tables/actual.ts'
import type { Tables } from '../tables/tables.ts'
import type { AgentFacts } from './facts.ts'

/** What weir-cni prints and exits with. */
export interface CniAnswer {
  readonly stdout: string
  readonly exitCode: number
}

type Reading<T> = () => T | Promise<T>

/** Reads of the kernel, fresh at every call. */
export interface ActualReadings {
  readonly endpoints: Reading<readonly ActualEndpoint[]>
  readonly frontends: Reading<readonly ActualFrontend[]>
  readonly destinations: Reading<readonly ActualDestination[]>
  readonly routes: Reading<readonly ActualRoute[]>
  readonly maps: Reading<readonly ActualMap[]>
  readonly packets: Reading<readonly PacketCount[]>
  readonly flows: Reading<FlowCounts | undefined>
  readonly identities: Reading<ActualIdentities>
  /** By the address of a local pod. */
  readonly podPolicies: Reading<ReadonlyMap<string, ActualPodPolicy>>
}

export interface ApiSources {
  readonly tables: Tables
  readonly actual: ActualReadings
  /** What is true of this agent and node now. */
  readonly facts: Reading<AgentFacts>
  /**
   * Never rejects. `headers` carry the CNI_* variables (src/cni/http.ts reads them), `body` is
   * stdin.
   */
  readonly handleCni: (headers: IncomingHttpHeaders, body: string) => Promise<CniAnswer>
  /** Called once per answered CNI request; code 0 is success. */
  readonly observeCni: (verb: string, code: number, durationMs: number) => void
  /**
   * Calls back for every drop, and with `verdicts` for every decision of policy, until the returned
   * function is called; verdicts that somebody else asked for come too.
   */
  readonly subscribeEvents: (
    listener: (event: DatapathEvent) => void,
    options?: { readonly verdicts?: boolean },
  ) => () => void
  readonly log: Logger
}
