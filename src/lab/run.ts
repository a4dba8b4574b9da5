// Runs other programs: ip, mount, weir-cni. Output is collected; a failure names the program.
import { spawn } from 'node:child_process'

export interface Finished {
  /** Exit code, or 128 + signal number as shells say it. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  /** Kills the program after this long. Default: a minute. */
  readonly timeoutMs?: number
}

/** Runs a program to its end, whatever its exit code. Throws only if it cannot be started. */
export function runAnyway(
  file: string,
  args: readonly string[],
  { input, env, timeoutMs = 60_000 }: RunOptions = {},
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      ...(env ? { env: { ...process.env, ...env } } : {}),
    })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout?.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr?.on('data', (chunk: Buffer) => err.push(chunk))
    child.on('error', (cause) => {
      reject(new Error(`Cannot run ${file}: ${cause.message}`, { cause }))
    })
    child.on('close', (code) => {
      resolve({
        code: code ?? 137,
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      })
    })
    // The program may end before it has read everything; its exit code tells.
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}

/** Runs a program that must succeed; its stdout. Throws "Cannot <verb>: <what it said>". */
export async function run(
  verb: string,
  file: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await runAnyway(file, args, options)
  if (code === 0) return stdout
  const said = (stderr.trim() || stdout.trim()).split('\n').slice(-3).join('; ')
  throw new Error(`Cannot ${verb}: ${said || `${file} ended with code ${code}`}`)
}
