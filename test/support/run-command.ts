// Runs a check that is a command: silent when it passes, everything it said when it fails.
import { spawn } from 'node:child_process'
import { type Outcome, resultLine } from './outcome.ts'
import type { CommandSuite } from './suites.ts'

/** One passed or one failed. */
export async function runCommand({ name, command }: CommandSuite): Promise<Outcome> {
  const startedAt = performance.now()
  const { code, said } = await capture(command)
  const ok = code === 0
  const outcome = { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 }
  console.log(resultLine(name, outcome, performance.now() - startedAt))
  if (!ok) console.log(`\n$ ${command.join(' ')}\n${said}\n`)
  return outcome
}

function capture([program = '', ...args]: readonly string[]) {
  return new Promise<{ code: number | null; said: string }>((resolve) => {
    let said = ''
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text
      })
    }
    child.once('error', (error) => resolve({ code: null, said: error.message }))
    child.once('close', (code) => resolve({ code, said }))
  })
}
