// Routing rules: which table is asked, by a packet's source or the interface it is bound to.
import { constants } from 'node:os'
import { viewOf } from '../libbpf/records.ts'
import {
  type Address,
  addressFromBytes,
  addressToNativeBytes,
  type Family,
} from '../net/address.ts'
import {
  attribute,
  FLAGS,
  type Request,
  request,
  textAttribute,
  uint32Attribute,
  when,
} from './message.ts'
import type { Netlink } from './netlink.ts'
import { Attributes, type Message } from './parse.ts'

const NEW_RULE = 32
const DELETE_RULE = 33
const GET_RULE = 34
const FIXED_SIZE = 12
const FRA = { source: 2, priority: 6, table: 15, outName: 17 } as const
const LOOK_UP = 1

export interface Rule {
  readonly family: Family
  readonly table: number
  /** The lowest is asked first; the main table's rule has 32766. */
  readonly priority: number
  readonly from?: Address
  /** Interface that the sender is bound to. */
  readonly outName?: string
}

/** Answered with EEXIST when the rule is there already. */
export function addRuleRequest(rule: Rule): Request {
  return ruleRequest(NEW_RULE, FLAGS.create | FLAGS.exclusive, 'add', rule)
}

/** Answered with ENOENT when there is none. */
export function deleteRuleRequest(rule: Rule): Request {
  return ruleRequest(DELETE_RULE, 0, 'delete', rule)
}

/** Adds those that are not there. */
export function addRules(netlink: Netlink, rules: readonly Rule[]): void {
  runBut(netlink, rules.map(addRuleRequest), constants.errno.EEXIST)
}

/** Deletes those that are there. */
export function deleteRules(netlink: Netlink, rules: readonly Rule[]): void {
  runBut(netlink, rules.map(deleteRuleRequest), constants.errno.ENOENT)
}

export function listRules(netlink: Netlink, family: Family): Rule[] {
  const facts = { operation: 'list', object: 'rules' }
  const head = Buffer.alloc(FIXED_SIZE)
  head[0] = familyNumber(family)
  const list = request({ type: GET_RULE, flags: FLAGS.dump, fixed: head, ...facts })
  return netlink.dump(list).map((message) => parseRule(message, family))
}

export function sameRule(one: Rule, other: Rule): boolean {
  const fields = ['family', 'table', 'priority', 'from', 'outName'] as const
  return fields.every((field) => one[field] === other[field])
}

function runBut(netlink: Netlink, requests: readonly Request[], fine: number): void {
  const error = netlink.transact(requests).find((each) => each && each.errno !== fine)
  if (error) throw error
}

function ruleRequest(type: number, flags: number, operation: string, rule: Rule): Request {
  const { family, table, priority, from, outName } = rule
  const source = from && addressToNativeBytes(from)
  const head = Buffer.alloc(FIXED_SIZE)
  // struct fib_rule_hdr: family, lengths of destination and source, ..., action, flags.
  head.set([familyNumber(family), 0, (source?.length ?? 0) * 8, 0, table < 256 ? table : 0])
  head[7] = LOOK_UP
  const attributes = [
    uint32Attribute(FRA.priority, priority),
    uint32Attribute(FRA.table, table),
    ...when(source, (bytes) => attribute(FRA.source, bytes)),
    ...when(outName, (name) => textAttribute(FRA.outName, name)),
  ]
  const object = `rule ${from ? `from ${from}` : `for ${outName}`} to table ${table}`
  return request({ type, flags, fixed: head, attributes, operation, object })
}

function parseRule({ body }: Message, family: Family): Rule {
  const attributes = new Attributes(body, FIXED_SIZE)
  const source = attributes.bytes(FRA.source)
  const outName = attributes.text(FRA.outName)
  return {
    family,
    table: attributes.uint32(FRA.table) ?? viewOf(body).getUint8(4),
    priority: attributes.uint32(FRA.priority) ?? 0,
    ...(source && { from: addressFromBytes(source) }),
    ...(outName !== undefined && { outName }),
  }
}

function familyNumber(family: Family): number {
  return family === 4 ? 2 : 10
}
