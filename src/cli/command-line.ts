// The command line `weir`: finds the commands that were named, loads only those, and turns what
// they throw into one sentence and an exit code: 0 done, 1 cannot or something is wrong, 2 bad
// usage.
import { Command, CommanderError } from 'commander'
import { COMMANDS } from './commands.ts'
import { addTargetOptions } from './target.ts'

/** Runs one command line (argv as in process.argv) and sets the exit code. */
export async function runCli(argv: readonly string[]): Promise<void> {
  // A reader that has seen enough (`weir flow list | head`) closes the pipe; that is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  const named = COMMANDS.filter(({ name }) => argv.includes(name))
  const program = await buildProgram(named.length > 0 ? named : COMMANDS)
  try {
    await program.parseAsync([...argv])
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2
      return
    }
    process.stderr.write(`${(error as Error).message}\n`)
    process.exitCode = 1
  }
}

/** The root command with the given commands below it; all of them for --help and the tests. */
export async function buildProgram(commands: typeof COMMANDS): Promise<Command> {
  const program = new Command('weir')
    .description('Weir: what the datapath of this node was asked for, and what it does')
    .enablePositionalOptions()
    .configureHelp({ visibleCommands: leaves, subcommandTerm: term, sortSubcommands: false })
    .addHelpText('after', NOTES)
    .hook('preAction', (root, action) => {
      // `weir -j lab status` means the same as `weir lab status -j`.
      if (root.opts()['json'] === true) action.setOptionValue('json', true)
    })
  addTargetOptions(program)
  for (const { load } of commands) program.addCommand(await load())
  for (const command of everyCommand(program)) {
    command.exitOverride().showHelpAfterError('See weir --help.')
  }
  return program
}

const NOTES = `
Reads that need the agent go over its socket; flows, maps, programs and metrics are read from what
is pinned and so work while the agent is away. Drift is ok, missing (wanted, not in the kernel),
stale (there, and different) or extra (there, not wanted).

Exit code: 0 done; 1 it cannot be done or something is wrong; 2 the command line is not understood.`

/** Every command below a root, itself included, in order. */
export function everyCommand(root: Command): Command[] {
  return [root, ...root.commands.flatMap(everyCommand)]
}

function leaves(command: Command): Command[] {
  const all = everyCommand(command).slice(1)
  return all.filter((each) => each.commands.length === 0 && each.name() !== 'help')
}

/** "endpoint list", "endpoint get", ...: every command that does something. */
export function leafPaths(root: Command): string[] {
  return leaves(root).map(pathOf)
}

function pathOf(command: Command): string {
  const words: string[] = []
  for (let at: Command | null = command; at?.parent; at = at.parent) words.unshift(at.name())
  return words.join(' ')
}

/** "endpoint get <endpoint>": the path below `weir`, and the arguments. */
function term(command: Command): string {
  const args = command.registeredArguments.map((argument) => {
    const name = `${argument.name()}${argument.variadic ? '...' : ''}`
    return argument.required ? `<${name}>` : `[${name}]`
  })
  return [pathOf(command), ...args].join(' ')
}
