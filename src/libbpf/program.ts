// A loaded BPF program: what the kernel says of it, and running it on bytes of ours.
import { closeSync } from 'node:fs'
import { openPin, pinFd } from './bpffs.ts'
import { check } from './errors.ts'
import { programTypeName } from './kinds.ts'
import type { Library } from './library.ts'
import { readText, readWords, viewOf } from './records.ts'

export interface TestRun {
  /** The packet, with its Ethernet header. */
  readonly data?: Uint8Array
  /** struct __sk_buff, struct xdp_md, or what a 'syscall' program takes. */
  readonly context?: Uint8Array
  /** Runs; the duration is their mean. 1 by default. */
  readonly repeat?: number
  readonly flags?: number
}

export interface TestRunResult {
  /** Unsigned, as the kernel has it: -1 of the program is 4294967295. */
  readonly returnValue: number
  readonly durationNs: number
  /** The packet afterwards. */
  readonly data: Uint8Array
  /** The context afterwards. */
  readonly context: Uint8Array
}

const INFO_SIZE = 64
const GROWTH_BYTES = 4096
const EMPTY = new Uint8Array(0)

/** An open program. Owns its fd: close() it; what is pinned or attached lives on. */
export class Program {
  readonly fd: number
  readonly id: number
  readonly name: string
  /** As bpftool says it: "sched_cls", "xdp", "syscall". */
  readonly type: string
  /** Eight bytes of a hash over the instructions, in hex. */
  readonly tag: string
  /** How many instructions the verifier walked, its measure of complexity. */
  readonly verifiedInstructions: number
  /** Size of the machine code, 0 without the JIT. */
  readonly jitedBytes: number
  readonly #library: Library

  /** Takes over the fd. `name` replaces the kernel's, which is cut to 15 characters. */
  constructor(library: Library, fd: number, name?: string) {
    const bytes = readFacts(library, fd, name ?? String(fd))
    const words = readWords(viewOf(bytes), 40, 5)
    const [id = 0, type = 0, verified = 0, , jited = 0] = words
    this.#library = library
    this.fd = fd
    this.id = id
    this.name = name ?? readText(bytes, 0, 16)
    this.type = programTypeName(type)
    this.tag = Buffer.from(bytes.subarray(16, 24)).toString('hex')
    this.verifiedInstructions = verified
    this.jitedBytes = jited
  }

  static openPinned(library: Library, path: string): Program {
    return new Program(library, openPin(library, path))
  }

  /** Throws ENOENT when no program has the id. */
  static openId(library: Library, id: number): Program {
    return new Program(
      library,
      check(library.native.weir_program_open_id(id), 'open', `program ${id}`),
    )
  }

  /** Sums since load; they stand still unless enableStats() or kernel.bpf_stats_enabled is on. */
  runTime(): { runs: number; timeNs: bigint } {
    const view = viewOf(readFacts(this.#library, this.fd, this.name))
    return { timeNs: view.getBigUint64(24, true), runs: Number(view.getBigUint64(32, true)) }
  }

  /** Runs the program here and now (BPF_PROG_TEST_RUN), on the packet and context given. */
  testRun({ data = EMPTY, context = EMPTY, repeat, flags = 0 }: TestRun): TestRunResult {
    const dataOut = new Uint8Array(data.length === 0 ? 0 : data.length + GROWTH_BYTES)
    const contextIn = new Uint8Array(context)
    // A syscall program's context is written in place and the kernel refuses other outputs.
    const isSyscall = this.type === 'syscall'
    const contextOut = new Uint8Array(isSyscall ? 0 : context.length)
    const answer = new Uint8Array(16)
    const ret = this.#library.native.weir_program_test_run(
      this.fd,
      orNull(data),
      data.length,
      orNull(dataOut),
      dataOut.length,
      orNull(contextIn),
      contextIn.length,
      orNull(contextOut),
      contextOut.length,
      repeat ?? (isSyscall ? 0 : 1),
      flags,
      answer,
    )
    check(ret, 'run', `program ${this.name}`)
    const [returnValue = 0, durationNs = 0, dataSize = 0] = readWords(viewOf(answer), 0, 3)
    return {
      returnValue,
      durationNs,
      data: dataOut.subarray(0, dataSize),
      context: isSyscall ? contextIn : contextOut,
    }
  }

  pin(path: string): void {
    pinFd(this.#library, this.fd, `program ${this.name}`, path)
  }

  close(): void {
    closeSync(this.fd)
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** Has the kernel count runs and their time, for all programs, until the answer is disposed. */
export function enableStats(library: Library): Disposable {
  const fd = check(library.native.weir_enable_stats(), 'enable', 'run-time statistics')
  return { [Symbol.dispose]: () => closeSync(fd) }
}

function readFacts(library: Library, fd: number, name: string): Uint8Array {
  const bytes = new Uint8Array(INFO_SIZE)
  check(library.native.weir_program_info(fd, bytes), 'read the facts of', `program ${name}`)
  return bytes
}

function orNull(bytes: Uint8Array): Uint8Array | null {
  return bytes.length === 0 ? null : bytes
}
