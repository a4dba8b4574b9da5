// `weir policy`: who may talk to whom, and why.
import type { Command } from 'commander'
import { addExplainCommand } from './policy-explain.ts'
import { POLICY_VIEWS } from './policy-list.ts'
import { addWhatIfCommand } from './policy-what-if.ts'
import { viewCommand } from './views.ts'

export function policyCommand(): Command {
  const command = viewCommand(POLICY_VIEWS)
  addExplainCommand(command)
  addWhatIfCommand(command)
  return command
}
