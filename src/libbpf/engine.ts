// The only file that touches the FFI: one table of libweir's calls, and two engines that bind it.
// Every call answers a number, negative for -errno. A pointer travels as a number too: addresses
// of user space fit below 2^53. Keep calls coarse; with ffi-napi each costs 20 us or more.
import { createRequire } from 'node:module'

export type EngineName = 'koffi' | 'ffi-napi'

interface Values {
  int: number
  uint: number
  pointer: number
  text: string | null
  bytes: Uint8Array | null
}
type Kind = keyof Values
interface Signature {
  readonly result: 'int' | 'pointer'
  readonly parameters: readonly Kind[]
}

function int<const P extends readonly Kind[]>(...parameters: P) {
  return { result: 'int', parameters } as const
}

/** libweir's calls, in the order of native/binding/weir.h. */
const CALLS = {
  weir_object_new: { result: 'pointer', parameters: [] },
  weir_object_free: int('pointer'),
  weir_object_open: int('pointer', 'text'),
  weir_object_load: int('pointer'),
  weir_object_log: int('pointer', 'bytes', 'uint'),
  weir_object_maps: int('pointer', 'bytes', 'uint'),
  weir_object_programs: int('pointer', 'bytes', 'uint'),
  weir_object_set_max_entries: int('pointer', 'uint', 'uint'),
  weir_object_get_data: int('pointer', 'uint', 'bytes', 'uint'),
  weir_object_set_data: int('pointer', 'uint', 'bytes', 'uint'),
  weir_object_reuse_map: int('pointer', 'uint', 'int'),
  weir_object_set_autoload: int('pointer', 'text', 'int'),
  weir_object_map_fd: int('pointer', 'uint'),
  weir_object_program_fd: int('pointer', 'text'),
  weir_pin: int('int', 'text'),
  weir_open_pin: int('text'),
  weir_mount_bpffs: int('text'),
  weir_unmount: int('text'),
  weir_map_create: int('uint', 'text', 'uint', 'uint', 'uint', 'uint'),
  weir_map_info: int('int', 'bytes'),
  weir_map_lookup: int('int', 'bytes', 'bytes'),
  weir_map_update: int('int', 'bytes', 'bytes', 'uint'),
  weir_map_delete: int('int', 'bytes'),
  weir_map_lookup_many: int('int', 'bytes', 'bytes', 'uint', 'uint', 'uint', 'bytes'),
  weir_map_update_many: int('int', 'bytes', 'bytes', 'uint', 'uint', 'uint', 'bytes'),
  weir_map_delete_many: int('int', 'bytes', 'uint', 'uint'),
  weir_map_read: int('int', 'bytes', 'int', 'bytes', 'bytes', 'uint', 'uint', 'bytes'),
  weir_program_open_id: int('uint'),
  weir_program_info: int('int', 'bytes'),
  weir_program_query: int('int', 'uint', 'bytes', 'uint'),
  weir_program_test_run: int(
    'int',
    ...(['bytes', 'uint', 'bytes', 'uint'] as const), // data, data out
    ...(['bytes', 'uint', 'bytes', 'uint'] as const), // context, context out
    ...(['uint', 'uint', 'bytes'] as const), // repeat, flags, answer
  ),
  weir_enable_stats: int(),
  weir_link_create: int('int', 'int', 'uint', 'uint'),
  weir_link_update: int('int', 'int'),
  weir_link_detach: int('int'),
  weir_link_info: int('int', 'bytes'),
  weir_ring_buffer_stream: int('int'),
  weir_netlink_open: int('text'),
  weir_sock_diag_open: int('text'),
  weir_netlink_exchange: int('int', 'bytes', 'uint', 'bytes', 'uint'),
  weir_netns_cookie: int('bytes'),
  weir_netns_read: int('text', 'text', 'bytes', 'uint'),
  weir_netns_write: int('text', 'text', 'bytes', 'uint'),
} as const satisfies Record<string, Signature>

type Arguments<P extends readonly Kind[]> = { -readonly [I in keyof P]: Values[P[I]] }

/** libweir's functions, typed. Callers check lengths: the native side writes where it is told. */
export type Native = {
  readonly [Name in keyof typeof CALLS]: (
    ...parameters: Arguments<(typeof CALLS)[Name]['parameters']>
  ) => number
}

type Call = (...parameters: unknown[]) => number

const require = createRequire(import.meta.url)

/** Loads libweir.so through the named FFI package. Throws when either cannot be loaded. */
export function bindNative(engine: EngineName, path: string): Native {
  const bind = engine === 'koffi' ? bindKoffi(path) : bindFfiNapi(path)
  const calls = Object.entries(CALLS).map(([name, signature]) => [name, bind(name, signature)])
  return Object.fromEntries(calls) as Native
}

type Bind = (name: string, signature: Signature) => Call

function bindKoffi(path: string): Bind {
  const types = { int: 'int', uint: 'uint32_t', pointer: 'int64_t', text: 'str', bytes: 'void *' }
  const koffi = require('koffi') as {
    load(path: string): { func(name: string, result: string, parameters: string[]): Call }
  }
  const library = koffi.load(path)
  return (name, { result, parameters }) =>
    library.func(
      name,
      types[result],
      parameters.map((kind) => types[kind]),
    )
}

function bindFfiNapi(path: string): Bind {
  const types = { int: 'int', uint: 'uint32', pointer: 'int64', text: 'string', bytes: 'pointer' }
  const ffi = require('ffi-napi') as {
    Library(path: string, functions: Record<string, [string, string[]]>): Record<string, Call>
  }
  return (name, { result, parameters }) => {
    const kinds = parameters.map((kind) => types[kind])
    const call = ffi.Library(path, { [name]: [types[result], kinds] })[name]
    if (call === undefined) throw new Error(`Cannot bind ${name}: ffi-napi did not find it`)
    // It takes Buffers only, and the package's int64 may come back as text.
    return (...values) => Number(call(...values.map(asBuffer)))
  }
}

function asBuffer(value: unknown): unknown {
  if (!(value instanceof Uint8Array) || Buffer.isBuffer(value)) return value
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}
