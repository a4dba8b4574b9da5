// Words about Services that intent, desired rows and settings share.
import type { Prefix } from '../net/prefix.ts'

/** How a new connection's backend is chosen; maglev: by a hash, the same on every node. */
export const BALANCINGS = ['random', 'maglev'] as const
export type Balancing = (typeof BALANCINGS)[number]

/**
 * How a connection from outside gets to a backend on another node. snat: as from this node, and
 * back through it. dsr: the backend's node answers the client itself.
 */
export const FORWARDINGS = ['snat', 'dsr'] as const
export type Forwarding = (typeof FORWARDINGS)[number]

/**
 * Which of a node's addresses have its NodePorts: those within, of a family without a prefix all;
 * or of each family the first.
 */
export type NodePortAddresses = readonly Prefix[] | 'primary'
