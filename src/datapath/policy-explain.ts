// What policy says of a connection that nobody makes: the pinned program policy_explain, run on the
// pinned maps. It needs the pins alone and so works while the agent is away.
import { Program } from '../libbpf/program.ts'
import type {
  ActualPolicyAnswer,
  ActualPolicyEntry,
  ActualPolicyExplanation,
} from '../tables/actual.ts'
import type { PolicyConnection } from '../tables/policy.ts'
import { KernelMap } from './entry-map.ts'
import { type Inspected, withMap } from './inspect.ts'
import * as layout from './layout.gen.ts'
import { pinsUnder } from './pins.ts'
import { type RuleMap, readSets } from './policy-layout.ts'

/** Its name, and that of its pin. */
export const EXPLAIN_PROGRAM = 'policy_explain'

/** Asks for each connection, both ends. Throws when no agent has ever loaded the program here. */
export function explainPolicy(
  inspected: Inspected,
  connections: readonly PolicyConnection[],
): ActualPolicyExplanation[] {
  const { library, bpfRoot } = inspected
  const { programs } = pinsUnder(bpfRoot)
  if (!programs.has(EXPLAIN_PROGRAM)) {
    throw new Error(`Cannot explain policy: there is no program ${programs.path(EXPLAIN_PROGRAM)}`)
  }
  const program = Program.openPinned(library, programs.path(EXPLAIN_PROGRAM))
  try {
    return withMap(inspected, 'policy', (map) =>
      askPolicy(program, new KernelMap(map, layout.maps.policy), connections),
    )
  } finally {
    program.close()
  }
}

/** The same of a program and a map that are open. */
export function askPolicy(
  program: Pick<Program, 'name' | 'testRun'>,
  rules: RuleMap,
  connections: readonly PolicyConnection[],
): ActualPolicyExplanation[] {
  const answered = connections.map((connection) => ask(program, connection))
  const entriesOf = entryReader(rules)
  return answered.map((answer) => ({
    ...answer,
    egress: withEntry(answer, 'egress', entriesOf),
    ingress: withEntry(answer, 'ingress', entriesOf),
  }))
}

const ETHERNET_HEADER = 14
const NOTHING: layout.PolicyAnswer = {
  ...{ policyId: 0, identity: 0, ruleId: 0, entryIdentity: 0 },
  ...{ entryProtocol: 0, hasEntry: 0, group: 0, verdict: 0 },
}

function ask(
  program: Pick<Program, 'name' | 'testRun'>,
  connection: PolicyConnection,
): ActualPolicyExplanation {
  const question = layout.policyQuestion.toBytes({
    ...{ connection, egress: NOTHING, ingress: NOTHING },
  })
  const data = new Uint8Array(ETHERNET_HEADER + question.length)
  data.set(question, ETHERNET_HEADER)
  const result = program.testRun({ data })
  if (result.returnValue !== 0) {
    throw new Error(`Cannot explain policy: ${program.name} answered ${result.returnValue | 0}`)
  }
  const bytes = result.data.slice(ETHERNET_HEADER, ETHERNET_HEADER + question.length)
  const { egress, ingress } = layout.policyQuestion.fromBytes(bytes)
  const sides = { egress: answerOf(egress), ingress: answerOf(ingress) }
  const isDenied = [sides.egress, sides.ingress].some(({ verdict }) => verdict === 'deny')
  return { ...connection, ...sides, allowed: !isDenied }
}

function answerOf(answer: layout.PolicyAnswer): ActualPolicyAnswer {
  const { policyId, identity, ruleId, entryIdentity, entryProtocol, hasEntry, verdict } = answer
  const name = layout.policyVerdictNames.get(verdict)?.toLowerCase()
  const entry = { identity: entryIdentity, protocol: entryProtocol, port: 0, portBits: 0 }
  return {
    ...{ verdict: name as ActualPolicyAnswer['verdict'], policyId, identity, ruleId },
    ...(hasEntry ? { entry } : {}),
  }
}

type SetReader = (policyId: number) => readonly ActualPolicyEntry[]

/** The sets are read once, and only when some entry decided. */
function entryReader(rules: RuleMap): SetReader {
  let sets: ReturnType<typeof readSets> | undefined
  return (policyId) => {
    sets ??= readSets(rules)
    return sets.get(policyId)?.entries ?? []
  }
}

/** The program knows whose entry decided; which ports it has, the longest prefix tells. */
function withEntry(
  explanation: ActualPolicyExplanation,
  direction: 'egress' | 'ingress',
  entriesOf: SetReader,
): ActualPolicyAnswer {
  const answer = explanation[direction]
  const { entry, policyId } = answer
  if (!entry) return answer
  const [found] = entriesOf(policyId)
    .filter(({ identity, protocol }) => identity === entry.identity && protocol === entry.protocol)
    .filter(({ port, portBits }) => (port ^ explanation.port) >> (16 - portBits) === 0)
    .toSorted((a, b) => b.portBits - a.portBits)
  return found
    ? { ...answer, entry: { ...entry, port: found.port, portBits: found.portBits } }
    : answer
}
