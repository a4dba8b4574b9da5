// The commands of `weir` and how to load each. They are loaded when named, because the lab and the
// bench bring a lot that `weir status` should not wait for.
import type { Command } from 'commander'

export interface NamedCommand {
  readonly name: string
  readonly load: () => Promise<Command>
}

export const COMMANDS: readonly NamedCommand[] = [
  { name: 'status', load: async () => (await import('./status.ts')).statusCommand() },
  { name: 'endpoint', load: async () => (await import('./endpoint.ts')).endpointCommand() },
  { name: 'service', load: async () => (await import('./service.ts')).serviceCommand() },
  { name: 'node', load: async () => (await import('./node.ts')).nodeCommand() },
  { name: 'policy', load: async () => (await import('./policy.ts')).policyCommand() },
  { name: 'identity', load: async () => (await import('./identity.ts')).identityCommand() },
  { name: 'flow', load: async () => (await import('./flow.ts')).flowCommand() },
  { name: 'map', load: async () => (await import('./map.ts')).mapCommand() },
  { name: 'program', load: async () => (await import('./program.ts')).programCommand() },
  { name: 'monitor', load: async () => (await import('./monitor.ts')).monitorCommand() },
  { name: 'metrics', load: async () => (await import('./metrics.ts')).metricsCommand() },
  { name: 'uninstall', load: async () => (await import('./uninstall.ts')).uninstallCommand() },
  {
    name: 'install-cni',
    load: async () => (await import('./install-cni.ts')).installCniCommand(),
  },
  { name: 'bench', load: async () => (await import('../bench/command.ts')).benchCommand() },
  { name: 'lab', load: async () => (await import('../lab/command.ts')).labCommand() },
  { name: 'cluster', load: async () => (await import('../cluster/command.ts')).clusterCommand() },
]
