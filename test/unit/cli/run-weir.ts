// Runs `weir` as a shell does: another process, its output and its exit code.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url))

export interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  /** Closes the pipe after the first chunk of output, as `| head -1` does. */
  readonly closeEarly?: boolean
  /** Ends the process with SIGTERM once its output contains this text. */
  readonly stopAt?: string
  readonly env?: Readonly<Record<string, string>>
}

/** Never throws for an exit code; code is null after a signal. */
export function weir(args: readonly string[], options: RunOptions = {}): Promise<Run> {
  return new Promise((resolve) => {
    const env = { ...process.env, ...options.env }
    const child = spawn(process.execPath, [MAIN, ...args], { env })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      if (options.closeEarly) child.stdout.destroy()
      if (options.stopAt !== undefined && stdout.includes(options.stopAt)) child.kill()
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}
