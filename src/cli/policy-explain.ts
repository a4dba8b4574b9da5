// `weir policy explain FROM TO [PORT]`: asks the programs of this node, on the live maps, whether a
// connection may be, and which rule of which policy says so, at either end.
import type { Command } from 'commander'
import { addressFamily, formatAddressPort } from '../net/address.ts'
import { protocolName, protocolNumber } from '../net/protocol.ts'
import type {
  ActualFrontend,
  ActualPolicyAnswer,
  ActualPolicyExplanation,
} from '../tables/actual.ts'
import { POLICY_CLOSED } from '../tables/policy.ts'
import { openKernel } from './kernel.ts'
import { print, printJson } from './output.ts'
import { findParty, pairsOf } from './policy-names.ts'
import { readRuleNames } from './policy-rules.ts'
import { addTargetOptions, findTarget, type TargetOptions } from './target.ts'

/** Backends of one frontend that are asked for; more of them would say the same. */
const BACKENDS_SHOWN = 8

export function addExplainCommand(policy: Command): void {
  const explain = policy
    .command('explain')
    .description('whether FROM may reach TO, and by which rule; asks the programs of this node')
    .argument('<from>', 'pod (namespace/name) or address')
    .argument('<to>', 'pod, address, or address of a Service')
    .argument('[port]', 'PORT or PORT/UDP of the destination; without: ICMP echo')
    .action(async (from: string, to: string, port: string | undefined, _options, self: Command) => {
      const options = self.optsWithGlobals<TargetOptions>()
      const explanations = await readExplanations({ from, to, port }, options)
      if (options.json) printJson(explanations)
      else await printExplanations(explanations, { from, to }, options)
    })
  addTargetOptions(explain)
}

interface Asked {
  readonly from: string
  readonly to: string
  readonly port?: string | undefined
}

async function readExplanations(
  { from, to, port }: Asked,
  options: TargetOptions,
): Promise<ActualPolicyExplanation[]> {
  const { socket } = await findTarget(options)
  const asked = port === undefined ? undefined : parsePort(port)
  const pairs = pairsOf(await findParty(socket, from), await findParty(socket, to))
  const { inspect, inspected } = await openKernel(options)
  const { explainPolicy } = await import('../datapath/policy-explain.ts')
  const frontends = asked ? inspect.listFrontends(inspected) : []
  const connections = pairs.flatMap(({ source, destination }) => {
    const icmp = addressFamily(source) === 4 ? 1 : 58
    const { protocol = icmp, port: number = 0 } = asked ?? {}
    const targets = behind(frontends, { address: destination, port: number, protocol })
    return targets.map(({ address, port: at }) => ({
      ...{ source, destination: address, protocol, port: at },
    }))
  })
  return explainPolicy(inspected, connections)
}

/** Policy is about the pods behind a Service. */
function behind(
  frontends: readonly ActualFrontend[],
  to: Pick<ActualFrontend, 'address' | 'port'> & { readonly protocol: number },
): readonly Pick<ActualFrontend, 'address' | 'port'>[] {
  const frontend = frontends.find(
    ({ address, port, protocol }) =>
      address === to.address && port === to.port && protocolNumber(protocol) === to.protocol,
  )
  if (!frontend) return [to]
  if (frontend.backends.length > 0) return frontend.backends.slice(0, BACKENDS_SHOWN)
  throw new Error(`Cannot explain ${formatAddressPort(to.address, to.port)}: it has no backends`)
}

/** "80", "80/TCP", "53/udp". Throws on anything else. */
export function parsePort(text: string): { port: number; protocol: number } {
  const [, digits, name = 'TCP'] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? []
  const port = Number(digits)
  if (!(port >= 1 && port <= 65_535)) {
    throw new Error(`Cannot read port "${text}": not of the form PORT or PORT/UDP`)
  }
  return { port, protocol: protocolNumber(name.toUpperCase() as 'TCP') }
}

async function printExplanations(
  explanations: readonly ActualPolicyExplanation[],
  names: { readonly from: string; readonly to: string },
  options: TargetOptions,
): Promise<void> {
  const rules = await readRuleNames(options).catch(() => undefined)
  for (const explanation of explanations) {
    const { source, destination, protocol, port, egress, ingress, allowed } = explanation
    const at = port === 0 ? destination : formatAddressPort(destination, port)
    print(`${protocolName(protocol)} ${source} > ${at}: ${allowed ? 'allowed' : 'denied'}`)
    for (const line of describeSide('egress', names.from, egress, rules)) print(`  ${line}`)
    for (const line of describeSide('ingress', names.to, ingress, rules)) print(`  ${line}`)
  }
}

/** What one end says, and below it the entry that decided. */
export function describeSide(
  direction: 'egress' | 'ingress',
  pod: string,
  { verdict, policyId, identity, ruleId, entry }: ActualPolicyAnswer,
  rules: ReadonlyMap<number, string> | undefined,
): string[] {
  const side = direction === 'egress' ? `egress of ${pod}` : `ingress of ${pod}`
  if (verdict === 'not_asked') {
    return [`${side}: not asked (no pod of this node, or the pod itself, or the node to its pod)`]
  }
  if (verdict === 'open') return [`${side}: allowed, nothing isolates it`]
  const word = { allow: 'allowed', deny: 'denied', audit: 'would be denied (audit)' }[verdict]
  const why = describeRule(ruleId, policyId, rules)
  const lines = [`${side}: ${word} by ${why}`]
  if (entry) {
    const ports = entry.protocol === 0 ? 'all protocols' : describePorts(entry)
    lines.push(`  entry of set ${policyId}: identity ${entry.identity}, ${ports}`)
  }
  return [...lines, `  the peer is identity ${identity}`]
}

function describeRule(
  ruleId: number,
  policyId: number,
  rules: ReadonlyMap<number, string> | undefined,
): string {
  if (ruleId !== 0) return rules?.get(ruleId) ?? `rule ${ruleId}`
  return policyId === POLICY_CLOSED
    ? 'being closed: its policies could not be put into force, see weir policy list'
    : 'isolation: no rule allows it'
}

function describePorts({
  protocol,
  port,
  portBits,
}: Required<ActualPolicyAnswer>['entry']): string {
  const name = protocolName(protocol)
  if (portBits === 0) return `${name}, all ports`
  const last = port + 2 ** (16 - portBits) - 1
  return portBits === 16 ? `${name} port ${port}` : `${name} ports ${port} to ${last}`
}
