// Failures of the kernel as errors with the errno's name: "Cannot update map services: ENOENT (no
// such file or directory)". Two classes, because callers branch on just these two.
import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'

// Errors that libuv has no words for: from the kernel (include/linux/errno.h) and from libbpf.
const MORE_ERRNOS: ReadonlyMap<number, readonly [name: string, text: string]> = new Map([
  [constants.errno.ENOLINK, ['ENOLINK', 'the device or cgroup is gone']],
  [constants.errno.ESTALE, ['ESTALE', 'it changed meanwhile']],
  [constants.errno.EOPNOTSUPP, ['EOPNOTSUPP', 'operation not supported']],
  [524, ['ENOTSUPP', 'operation not supported']],
  [4000, ['LIBELF', 'libelf failed']],
  [4001, ['FORMAT', 'not an object of the expected format']],
  [4003, ['ENDIAN', 'object has the other byte order']],
  [4005, ['RELOC', 'relocation failed']],
])

/** Name and sentence of a positive errno: ["E2BIG", "argument list too long"]. */
export function describeErrno(errno: number): readonly [name: string, text: string] {
  const described = MORE_ERRNOS.get(errno) ?? getSystemErrorMap().get(-errno)
  if (described !== undefined) return described
  const [name] = Object.entries(constants.errno).find(([, value]) => value === errno) ?? []
  return [name ?? `errno ${errno}`, 'the kernel refused']
}

export interface KernelErrorFacts {
  /** Positive. */
  errno: number
  /** A verb: "update", "attach". */
  operation: string
  /** What it was done to: "map services". */
  object: string
  /** Replaces the errno's own sentence where more is known. */
  reason?: string
}

/** The kernel refused. `code` is the errno's name. */
export class KernelError extends Error {
  override readonly name: string = 'KernelError'
  readonly code: string
  readonly errno: number
  readonly operation: string
  readonly object: string

  constructor(facts: KernelErrorFacts) {
    const [code, text] = describeErrno(facts.errno)
    super(`Cannot ${facts.operation} ${facts.object}: ${facts.reason ?? text} (${code})`)
    this.code = code
    this.errno = facts.errno
    this.operation = facts.operation
    this.object = facts.object
  }
}

/** A program was refused. The message ends with the last lines of the log; `log` is all of it. */
export class VerifierError extends KernelError {
  override readonly name = 'VerifierError'
  declare readonly log: string
  readonly program: string

  constructor(facts: KernelErrorFacts & { log: string; program: string }) {
    super({ ...facts, reason: lastLines(verifierPart(facts.log), 6) })
    // Not enumerable: printing the error must not print megabytes.
    Object.defineProperty(this, 'log', { value: facts.log })
    this.program = facts.program
  }
}

/** What the kernel wrote, without libbpf's lines around it. */
function verifierPart(log: string): string {
  const [, part = log] = /-- BEGIN PROG LOAD LOG --\n(.*)-- END PROG LOAD LOG --/s.exec(log) ?? []
  return part
}

/** The native answer when it is not negative; else throws a KernelError. */
export function check(answer: number, operation: string, object: string): number {
  if (answer < 0) throw new KernelError({ errno: -answer, operation, object })
  return answer
}

/** The last `count` lines that say something, trimmed. */
export function lastLines(log: string, count: number): string {
  const lines = log.split('\n').map((line) => line.trim())
  return lines
    .filter((line) => line !== '')
    .slice(-count)
    .join('\n')
}
