// `weir policy explain FROM TO [PORT]`: asks the programs of this node, on the live maps, whether a
// connection may be, and which rule of which policy says so, at either end.
import type { Command } from 'commander'
import type { IdentityView } from '../api/identity-view.ts'
import { identityNames } from '../api/policy-words.ts'
import { type Address, addressFamily, formatAddressPort } from '../net/address.ts'
import { protocolName, protocolNumber } from '../net/protocol.ts'
import type { ActualFrontend, ActualPolicyExplanation } from '../tables/actual.ts'
import type { PolicyConnection, PolicyDirection } from '../tables/policy.ts'
import { createTables, type Tables } from '../tables/tables.ts'
import { readAgent } from './agent.ts'
import { openKernel } from './kernel.ts'
import { print, printJson } from './output.ts'
import { readGround } from './policy-ground.ts'
import { findParty, formatEnd, isAddress, namesOf, type Party, pairsOf } from './policy-names.ts'
import { readRuleNames } from './policy-rules.ts'
import { describeSide, type ExplainedSide, ruleOf } from './policy-sides.ts'
import { UnaskedEnds } from './policy-unasked.ts'
import { addTargetOptions, findTarget, type TargetOptions } from './target.ts'

/** Backends of one frontend that are asked for; more of them would say the same. */
const BACKENDS_SHOWN = 8

export function addExplainCommand(policy: Command): void {
  const explain = policy
    .command('explain')
    .description('whether FROM may reach TO, and by which rule; asks the programs of this node')
    .argument('<from>', 'pod or Service (namespace/name), node, or address')
    .argument('<to>', 'the same')
    .argument('[port]', "PORT, PORT/UDP, or the name of a pod's port; without: ICMP echo")
    .action(async (from: string, to: string, port: string | undefined, _options, self: Command) => {
      const options = self.optsWithGlobals<TargetOptions>()
      const { socket } = await findTarget(options)
      const known = await readKnown({ from, to }, socket, options)
      const explanations = await explainAll({ from, to, port }, known, options)
      if (options.json) printJson(explanations)
      else for (const each of explanations) printExplanation(each, known)
    })
  addTargetOptions(explain)
}

interface Asked {
  readonly from: string
  readonly to: string
  readonly port?: string | undefined
}

/** What only the agent knows; nothing of it while it is away. */
interface Known {
  readonly tables: Tables
  readonly unasked?: UnaskedEnds
  readonly names: ReadonlyMap<Address, string>
  readonly rules: ReadonlyMap<number, string>
  readonly identities: ReadonlyMap<number, string>
}

interface Explanation extends PolicyConnection {
  /** The frontend that was asked for, when this is one of its backends. */
  readonly behind?: string
  readonly allowed: boolean
  readonly egress: ExplainedSide
  readonly ingress: ExplainedSide
}

/** Addresses alone can be explained without the agent. */
async function readKnown(
  { from, to }: Asked,
  socket: string,
  options: TargetOptions,
): Promise<Known> {
  try {
    const ground = await readGround(socket, ['services'])
    const identities = await readAgent<IdentityView[]>(socket, '/v1/identities')
    return {
      ...{ tables: ground.tables, names: namesOf(ground.tables), unasked: new UnaskedEnds(ground) },
      ...{ rules: await readRuleNames(options), identities: identityNames(identities) },
    }
  } catch (error) {
    if (!isAddress(from) || !isAddress(to)) throw error
    const nothing = new Map<never, never>()
    return { tables: createTables(), names: nothing, rules: nothing, identities: nothing }
  }
}

async function explainAll(
  { from, to, port }: Asked,
  known: Known,
  options: TargetOptions,
): Promise<Explanation[]> {
  const [source, destination] = [findParty(from, known.tables), findParty(to, known.tables)]
  const pairs = pairsOf(source, destination)
  const asked = port === undefined ? undefined : readPort(port, destination)
  const { inspect, inspected } = await openKernel(options)
  const { explainPolicy } = await import('../datapath/policy-explain.ts')
  const frontends = asked ? inspect.listFrontends(inspected) : []
  const connections = pairs.flatMap((pair) => {
    const icmp = addressFamily(pair.source) === 4 ? 1 : 58
    return behind(frontends, { ...pair, ...(asked ?? { protocol: icmp, port: 0 }) })
  })
  return explainPolicy(inspected, connections).map((said, at) => {
    const egress = explainSide('egress', said, known)
    const ingress = explainSide('ingress', said, known)
    const isElsewhereToo = [egress, ingress].every(({ foretold }) => foretold?.allowed ?? true)
    return { ...said, ...connections[at], egress, ingress, allowed: said.allowed && isElsewhereToo }
  })
}

function explainSide(
  direction: PolicyDirection,
  said: ActualPolicyExplanation,
  { rules, unasked }: Known,
): ExplainedSide {
  const answer = said[direction]
  const rule = ruleOf(answer, rules)
  if (rule !== undefined) return { ...answer, rule }
  return answer.verdict === 'not_asked'
    ? { ...answer, ...unasked?.explain(direction, said) }
    : answer
}

/** Policy is about the pods behind a Service. */
function behind(
  frontends: readonly ActualFrontend[],
  to: PolicyConnection,
): (PolicyConnection & Pick<Explanation, 'behind'>)[] {
  const frontend = frontends.find(
    ({ address, port, protocol }) =>
      address === to.destination && port === to.port && protocolNumber(protocol) === to.protocol,
  )
  if (!frontend) return [to]
  const text = formatAddressPort(to.destination, to.port)
  if (frontend.backends.length === 0) throw new Error(`Cannot explain ${text}: it has no backends`)
  return frontend.backends
    .slice(0, BACKENDS_SHOWN)
    .map(({ address, port }) => ({ ...to, destination: address, port, behind: text }))
}

/** "80", "80/TCP", "53/udp", "http". Throws on anything else. */
export function readPort(
  text: string,
  { name, ports }: Pick<Party, 'name' | 'ports'>,
): Pick<PolicyConnection, 'port' | 'protocol'> {
  const [, digits, protocol = 'TCP'] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? []
  const port = Number(digits)
  if (port >= 1 && port <= 65_535) {
    return { port, protocol: protocolNumber(protocol.toUpperCase() as 'TCP') }
  }
  const named = ports.find((each) => each.name === text)
  if (named) return { port: named.port, protocol: protocolNumber(named.protocol) }
  const its = ports.map((each) => each.name).join(', ') || 'none'
  throw new Error(
    `Cannot read port "${text}": give PORT or PORT/UDP, or a port of ${name} by name (${its})`,
  )
}

function printExplanation(explanation: Explanation, { names, identities }: Known): void {
  const { source, destination, protocol, port, behind, allowed, egress, ingress } = explanation
  const [from, to] = [formatEnd(names, source), formatEnd(names, destination, port)]
  const way = `${from} > ${to}${behind === undefined ? '' : ` behind ${behind}`}`
  print(`${protocolName(protocol)} ${way}: ${allowed ? 'allowed' : 'denied'}`)
  const nameOf = (address: Address): string => names.get(address) ?? address
  for (const line of describeSide('egress', nameOf(source), egress, identities)) print(`  ${line}`)
  for (const line of describeSide('ingress', nameOf(destination), ingress, identities)) {
    print(`  ${line}`)
  }
}
