// `weir status`: what is wrong now comes first; then who the agent is, where, and how full its
// maps are.
import { Command } from 'commander'
import type { AgentStatus, MapStatus, TableStatus } from '../api/status.ts'
import { readAgent } from './agent.ts'
import { formatAge, print, printFields, printJson } from './output.ts'
import { addTargetOptions, findTarget, type TargetOptions } from './target.ts'

export function statusCommand(): Command {
  const command = new Command('status')
    .description('what is wrong now, then agent, node, routing, MTU, source, tables and maps')
    .action(async (_options, self: Command) => {
      const options = self.optsWithGlobals<TargetOptions>()
      const { socket } = await findTarget(options)
      const status = await readAgent<AgentStatus>(socket, '/v1/status')
      if (options.json) printJson(status)
      else printStatus(status)
      if (!status.ok) process.exitCode = 1
    })
  return addTargetOptions(command)
}

function printStatus(status: AgentStatus): void {
  if (status.ok) print('Everything is as it should be.\n')
  else print(`Wrong now:\n${status.wrong.map((each) => `  ${each}`).join('\n')}\n`)
  const { source, flows, routingInUse } = status
  const up = formatAge((Date.now() - status.startedAtMs) / 1000)
  printFields([
    ['agent', `version ${status.version}, pid ${status.pid}, up ${up}`],
    ['node', [status.nodeName, ...status.addresses].join(', ')],
    ['podCIDRs', status.podCidrs.join(', ')],
    ['gateways', status.gateways.join(', ')],
    ['uplinks', status.uplinks.join(', ')],
    [
      'routing',
      `${status.routing}: ${routingInUse.native} nodes native, ${routingInUse.vxlan} by VXLAN`,
    ],
    ['MTU', `${status.mtu}: ${status.mtuDerivation}`],
    ['services', status.socketServices ? 'at the socket and per packet' : 'per packet'],
    ['XDP', status.xdp],
    ['source', describeSource(source)],
    ...(source.kinds ? [['watches', source.kinds.map(describeWatch).join('\n')] as const] : []),
    ['not done', listSome(source.notes)],
    [
      'connections',
      flows
        ? `${flows.established} established, ${flows.closing} closing, ${flows.embryos} unanswered`
        : 'not counted yet',
    ],
    ['packets', `${status.forwarded} forwarded, ${status.dropped} dropped`],
    ['tables', status.tables.map(describeTable).join(', ')],
    ['maps', status.maps.map(describeMap).join('\n')],
  ])
}

function describeSource({ kind, location, initialized, ageMs }: AgentStatus['source']): string {
  const state = initialized ? `read ${formatAge(ageMs / 1000)} ago` : 'first list not complete'
  return `${kind} ${location}, ${state}`
}

const MAX_NOTES = 20

function listSome(notes: readonly string[]): string {
  const more = notes.length - MAX_NOTES
  return [...notes.slice(0, MAX_NOTES), ...(more > 0 ? [`and ${more} more`] : [])].join('\n')
}

type Watch = NonNullable<AgentStatus['source']['kinds']>[number]

function describeWatch({ kind, synced, contactAgeMs, ...watch }: Watch): string {
  const heard = contactAgeMs === undefined ? 'never' : `${formatAge(contactAgeMs / 1000)} ago`
  const bad = watch.badObjects.length
  return [
    `${kind.padEnd(16)} ${synced ? 'synced' : 'not synced'}, heard of ${heard}`,
    `${watch.reconnects} reconnects, ${watch.relists} relists`,
    ...(watch.garbled > 0 ? [`${watch.garbled} garbled`] : []),
    ...(bad > 0 ? [`${bad} bad: ${watch.badObjects.slice(0, 5).join(', ')}`] : []),
  ].join(', ')
}

function describeTable({ name, rows, pending, error }: TableStatus): string {
  const notes = [
    ...(pending > 0 ? [`${pending} pending`] : []),
    ...(error > 0 ? [`${error} in error`] : []),
  ]
  return `${name} ${rows}${notes.length > 0 ? ` (${notes.join(', ')})` : ''}`
}

function describeMap({ name, entries, maxEntries }: MapStatus): string {
  const percent = ((100 * entries) / maxEntries).toFixed(1)
  return `${name.padEnd(16)} ${entries} of ${maxEntries} (${percent}%)`
}
