// Compiles a test's BPF program, once per call, into a directory that the caller removes.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** The object's path. `source` is the C file; CLANG chooses the compiler. */
export function compileObject(source: string, directory: string): string {
  const object = join(directory, 'test.bpf.o')
  const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
  const clang = process.env['CLANG'] ?? 'clang-19'
  execFileSync(clang, [
    ...['-O2', '-g', '-Wall', '-Werror', '-target', 'bpf', '-mcpu=v3'],
    ...[`-I/usr/include/${machine}-linux-gnu`, '-c', source, '-o', object],
  ])
  return object
}
