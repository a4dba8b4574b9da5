// The kernel's numbers for map, program and attach types, under the names bpftool uses.

const MAP_TYPES = [
  'unspec',
  'hash',
  'array',
  'prog_array',
  'perf_event_array',
  'percpu_hash',
  'percpu_array',
  'stack_trace',
  'cgroup_array',
  'lru_hash',
  'lru_percpu_hash',
  'lpm_trie',
  'array_of_maps',
  'hash_of_maps',
  'devmap',
  'sockmap',
  'cpumap',
  'xskmap',
  'sockhash',
  'cgroup_storage',
  'reuseport_sockarray',
  'percpu_cgroup_storage',
  'queue',
  'stack',
  'sk_storage',
  'devmap_hash',
  'struct_ops',
  'ringbuf',
  'inode_storage',
  'task_storage',
  'bloom_filter',
  'user_ringbuf',
  'cgrp_storage',
  'arena',
] as const

export type MapType = (typeof MAP_TYPES)[number]

const PER_CPU: ReadonlySet<MapType> = new Set<MapType>([
  'percpu_hash',
  'percpu_array',
  'lru_percpu_hash',
  'percpu_cgroup_storage',
])

export function mapTypeName(number: number): MapType {
  const name = MAP_TYPES[number]
  if (name === undefined) throw new Error(`Cannot name map type ${number}: it is unknown here`)
  return name
}

export function mapTypeNumber(type: MapType): number {
  return MAP_TYPES.indexOf(type)
}

/** Whether a value is one value per possible CPU. */
export function isPerCpu(type: MapType): boolean {
  return PER_CPU.has(type)
}

const PROGRAM_TYPES: Readonly<Record<number, string>> = {
  1: 'socket_filter',
  2: 'kprobe',
  3: 'sched_cls',
  4: 'sched_act',
  5: 'tracepoint',
  6: 'xdp',
  8: 'cgroup_skb',
  9: 'cgroup_sock',
  13: 'sock_ops',
  18: 'cgroup_sock_addr',
  23: 'cgroup_sysctl',
  25: 'cgroup_sockopt',
  26: 'tracing',
  31: 'syscall',
}

/** The program's type, or "type 17" for one not named here. */
export function programTypeName(number: number): string {
  return PROGRAM_TYPES[number] ?? `type ${number}`
}

export const TCX_ATTACH_TYPES = { ingress: 46, egress: 47 } as const
export const XDP_ATTACH_TYPE = 37

/** Attach types of cgroup programs, named as in libbpf's sections: "cgroup/connect4". */
export const CGROUP_ATTACH_TYPES = {
  ingress: 0,
  egress: 1,
  sock_create: 2,
  sockops: 3,
  bind4: 8,
  bind6: 9,
  connect4: 10,
  connect6: 11,
  post_bind4: 12,
  post_bind6: 13,
  sendmsg4: 14,
  sendmsg6: 15,
  sysctl: 18,
  recvmsg4: 19,
  recvmsg6: 20,
  getsockopt: 21,
  setsockopt: 22,
  getpeername4: 29,
  getpeername6: 30,
  getsockname4: 31,
  getsockname6: 32,
  sock_release: 34,
} as const

export type CgroupAttachType = keyof typeof CGROUP_ATTACH_TYPES

const ATTACH_TYPES: readonly (readonly [string, number])[] = [
  ...Object.entries(TCX_ATTACH_TYPES),
  ...Object.entries(CGROUP_ATTACH_TYPES),
  ['xdp', XDP_ATTACH_TYPE],
]

/** "ingress" of tcx and cgroups, "connect4"; "type 7" for one that this library does not make. */
export function attachTypeName(number: number): string {
  return ATTACH_TYPES.find(([, each]) => each === number)?.[0] ?? `type ${number}`
}

const LINK_TYPES: Readonly<Record<number, 'cgroup' | 'xdp' | 'tcx'>> = {
  3: 'cgroup',
  6: 'xdp',
  11: 'tcx',
}

/** The link's type, or "type 7" for one that this library does not make. */
export function linkTypeName(number: number): string {
  return LINK_TYPES[number] ?? `type ${number}`
}
