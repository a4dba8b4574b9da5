// Runs `weir lab` as a person does: another process, its output and its exit code.
import { type ChildProcess, spawn } from 'node:child_process'
import { type Finished, runAnyway } from '../../src/lab/run.ts'

const MODULE = new URL('../../src/lab/command.ts', import.meta.url).href
const COMMAND = `
import { labCommand } from ${JSON.stringify(MODULE)}
await labCommand().parseAsync(process.argv.slice(1), { from: 'user' }).catch((error) => {
  console.error(error.message)
  process.exitCode = 1
})`

/** Runs "weir lab ARGS"; never throws for an exit code. */
export function lab(...args: readonly string[]): Promise<Finished> {
  return runAnyway(process.execPath, ['--input-type=module', '-e', COMMAND, '--', ...args], {
    timeoutMs: 600_000,
  })
}

/** Starts "weir lab ARGS" and leaves it running. */
export function startLab(...args: readonly string[]): ChildProcess {
  return spawn(process.execPath, ['--input-type=module', '-e', COMMAND, '--', ...args])
}

/** Runs "weir lab ARGS" and demands success; its stdout. */
export async function mustLab(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await lab(...args)
  if (code === 0) return stdout
  throw new Error(`weir lab ${args.join(' ')} ended with ${code}: ${stderr || stdout}`)
}
