// Questions a check asks, as functions: each runs weir-pod somewhere, says in one line what was
// seen, and throws naming what was expected.
import type { Address } from '../net/address.ts'
import type { Cluster, Where } from './cluster.ts'

export interface Target {
  readonly address: Address
  readonly port: number
}

export interface Answer {
  readonly ok: boolean
  readonly ms: number
  readonly local: string
  readonly peer: string
  readonly from: string
  readonly stage?: string
  readonly error?: string
  readonly answer?: { readonly name: string; readonly node: string; readonly client: string }
}

export interface AskOptions {
  readonly udp?: boolean
  readonly unconnected?: boolean
  readonly count?: number
  readonly size?: number
  /** Address to send from, whosever it is. */
  readonly source?: Address
  readonly timeoutMs?: number
}

/** Fails the running check; `expected` and `seen` are what people read in the table. */
export function expectThat(condition: boolean, expected: string, seen: string): void {
  if (!condition) throw new Error(`expected ${expected}, saw ${seen}`)
}

/** Asks, each time on a new socket, and returns every outcome, good or bad. */
export async function ask(
  cluster: Cluster,
  where: Where,
  { address, port }: Target,
  { udp, unconnected, count = 1, size, source, timeoutMs = 2000 }: AskOptions = {},
): Promise<Answer[]> {
  const { stdout, stderr } = await cluster.run(where, [
    'ask',
    ...(udp ? ['--udp'] : []),
    ...(unconnected ? ['--unconnected'] : []),
    `--count=${count}`,
    `--timeout=${timeoutMs}`,
    ...(size ? [`--size=${size}`] : []),
    ...(source ? [`--source=${source}`] : []),
    address,
    String(port),
  ])
  const lines = stdout.trim().split('\n').filter(Boolean)
  if (lines.length === 0) throw new Error(`expected an answer, saw ${stderr.trim() || 'nothing'}`)
  return lines.map((line) => JSON.parse(line) as Answer)
}

/** Asks and demands that every question is answered; the answers. */
export async function mustAnswer(
  cluster: Cluster,
  where: Where,
  target: Target,
  options: AskOptions = {},
): Promise<Answer[]> {
  const answers = await ask(cluster, where, target, options)
  const failed = answers.filter(({ ok }) => !ok)
  const first = failed[0]
  expectThat(
    !first,
    `an answer from ${target.address} port ${target.port}`,
    `${first?.error} at ${first?.stage} (${failed.length} of ${answers.length} questions)`,
  )
  return answers
}

/** A refusal that takes longer than this was a timeout somewhere. */
const REFUSED_WITHIN_MS = 500

/** Asks once and demands to be refused at once, by this error; what was seen. */
export async function mustRefuse(
  cluster: Cluster,
  where: Where,
  target: Target,
  { udp = false, error = 'ECONNREFUSED' } = {},
): Promise<string> {
  const [answer] = await ask(cluster, where, target, { udp })
  const seen = `${answer?.error ?? 'an answer'} after ${answer?.ms} ms`
  const atOnce = answer?.error === error && answer.ms < REFUSED_WITHIN_MS
  expectThat(atOnce, `${error} within ${REFUSED_WITHIN_MS} ms`, seen)
  return seen
}

export interface PingResult {
  readonly ok: boolean
  readonly sent: number
  readonly received: number
  readonly damaged: number
  readonly ms: number
  readonly ttl: number
  readonly localError?: string
  readonly icmp?: { type: number; code: number; mtu: number; from: string }
}

export interface PingOptions {
  readonly count?: number
  /** Payload bytes; the packet has 28 (IPv4) or 48 (IPv6) more. */
  readonly size?: number
  readonly dontFragment?: boolean
  readonly ttl?: number
}

export async function ping(
  cluster: Cluster,
  where: Where,
  address: Address,
  { count = 1, size = 56, dontFragment, ttl }: PingOptions = {},
): Promise<PingResult> {
  const { stdout, stderr } = await cluster.run(where, [
    'ping',
    `--count=${count}`,
    `--size=${size}`,
    ...(dontFragment ? ['--df'] : []),
    ...(ttl ? [`--ttl=${ttl}`] : []),
    address,
  ])
  if (!stdout) throw new Error(`expected a ping to start, saw ${stderr.trim() || 'nothing'}`)
  return JSON.parse(stdout) as PingResult
}

/** Pings and demands every reply, undamaged. */
export async function mustPing(
  cluster: Cluster,
  where: Where,
  address: Address,
  options: PingOptions = {},
): Promise<PingResult> {
  const result = await ping(cluster, where, address, options)
  const { sent, received, damaged, localError, icmp } = result
  const more = [localError, icmp && `ICMP ${JSON.stringify(icmp)}`].filter(Boolean).join(', ')
  expectThat(
    result.ok,
    `${sent} replies from ${address}`,
    `${received} replies, ${damaged} damaged${more ? `, ${more}` : ''}`,
  )
  return result
}

export interface TransferResult {
  readonly ok: boolean
  readonly uploadMs: number
  readonly downloadMs: number
  readonly retransmits: number
  readonly mss: number
  readonly error: string
}

/** Moves content both ways over one connection and demands that it arrives as it was sent. */
export async function mustTransfer(
  cluster: Cluster,
  where: Where,
  { address, port }: Target,
  sizeBytes: number,
): Promise<TransferResult> {
  const { stdout, stderr } = await cluster.run(where, [
    'transfer',
    `--size=${sizeBytes}`,
    '--timeout=5000',
    address,
    String(port),
  ])
  if (!stdout) throw new Error(`expected a transfer, saw ${stderr.trim() || 'nothing'}`)
  const result = JSON.parse(stdout) as TransferResult
  expectThat(result.ok, `${sizeBytes} bytes each way, unchanged`, stdout.trim())
  return result
}

/** MTU of an interface where the program runs. */
export async function readMtu(
  cluster: Cluster,
  where: Where,
  interfaceName: string,
): Promise<number> {
  const { stdout, stderr } = await cluster.run(where, ['mtu', interfaceName])
  if (!stdout) throw new Error(`expected an MTU of ${interfaceName}, saw ${stderr.trim()}`)
  return (JSON.parse(stdout) as { mtu: number }).mtu
}
