// Policy over the maps of a loaded object.
import type { BpfObject } from '../libbpf/object.ts'
import { KernelMap } from './entry-map.ts'
import { readWord, writeWord } from './epoch.ts'
import { maps } from './layout.gen.ts'
import { Policy, type PolicyTables } from './policy.ts'

/** Call restore() before the first round. */
export function openPolicy(object: BpfObject, tables: PolicyTables, bumpEpoch: () => void): Policy {
  const words = object.map('.data.epoch')
  return new Policy({
    tables,
    bumpEpoch,
    maps: {
      identities: new KernelMap(object.map('identities'), maps.identities),
      cidrs: new KernelMap(object.map('cidr_identities'), maps.cidrIdentities),
      pods: new KernelMap(object.map('pod_policies'), maps.podPolicies),
      rules: new KernelMap(object.map('policy'), maps.policy),
    },
    generation: {
      read: () => readWord(words, 'policyGeneration'),
      write: (value) => writeWord(words, 'policyGeneration', value),
    },
  })
}
