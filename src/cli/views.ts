// What `weir endpoint`, `weir service` and `weir node` have in common: views of the agent, listed,
// and where it makes sense one by one.
import { Command } from 'commander'
import { readAgent } from './agent.ts'
import { printJson } from './output.ts'
import { addTargetOptions, findTarget, type TargetOptions } from './target.ts'

export interface ViewCommand<View> {
  readonly name: string
  readonly description: string
  /** Where the agent answers them. */
  readonly path: string
  readonly list: {
    readonly description: string
    readonly print: (views: readonly View[]) => void
  }
  readonly get?: {
    readonly description: string
    /** Which of the listed views are meant; absent: all that `pathOf` answers. */
    readonly matches?: (view: View, wanted: string) => boolean
    /** Where the agent answers those alone; absent: they are taken from the list. */
    readonly pathOf?: (wanted: string) => string
    readonly print: (view: View) => void
  }
}

/** The command with its subcommands `list` and, if there is one, `get`. */
export function viewCommand<View>({
  name,
  description,
  path,
  list,
  get,
}: ViewCommand<View>): Command {
  const command = new Command(name).description(description)
  const read = async (options: TargetOptions, from = path): Promise<View[]> =>
    readAgent<View[]>((await findTarget(options)).socket, from)
  const listing = command
    .command('list')
    .description(list.description)
    .action(async (_options, self: Command) => {
      const options = self.optsWithGlobals<TargetOptions>()
      const views = await read(options)
      if (options.json) printJson(views)
      else list.print(views)
    })
  addTargetOptions(listing)
  if (!get) return command
  const getting = command
    .command('get')
    .description(get.description)
    .argument(`<${name}>`)
    .action(async (wanted: string, _options, self: Command) => {
      const options = self.optsWithGlobals<TargetOptions>()
      const { matches = () => true, pathOf } = get
      const found = (await read(options, pathOf?.(wanted))).filter((view) => matches(view, wanted))
      if (found.length === 0) throw new Error(`Cannot find ${name} "${wanted}": there is none`)
      if (options.json) printJson(found)
      else for (const view of found) get.print(view)
    })
  addTargetOptions(getting)
  return command
}
