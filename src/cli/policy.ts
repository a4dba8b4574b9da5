// `weir policy`: who may talk to whom, and why.
import type { Command } from 'commander'
import { POLICY_VIEWS } from './policy-list.ts'
import { viewCommand } from './views.ts'

export function policyCommand(): Command {
  return viewCommand(POLICY_VIEWS)
}
