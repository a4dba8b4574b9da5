// When the policy of a new endpoint is in force: its Pod is known and the kernel has it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PolicyCompiler } from '../../src/control/policy/compiler.ts'
import { networkPolicyRow } from '../../src/kube/policy-objects.ts'
import type { Address } from '../../src/net/address.ts'
import { policySettled } from '../../src/policy-settled.ts'
import { NO_FAILURES, Reconciler } from '../../src/state/reconciler.ts'
import { createTables } from '../../src/tables/tables.ts'
import { endpointOf, makeNamespace, makePod, markInputs } from '../support/policy-worlds.ts'

const POD = makePod({ uid: 'u-1', addresses: ['10.0.1.2', 'fd00:1::2'] as Address[] })
const POLICY = { metadata: { name: 'p', namespace: 'shop' }, spec: { podSelector: {} } }

function setScene({ fails = false, policy = true } = {}) {
  const tables = createTables()
  tables.namespaces.upsert(makeNamespace('shop'))
  const { row } = networkPolicyRow(POLICY as never)
  if (policy && row) tables.networkPolicies.upsert(row)
  const written: string[] = []
  const reconciler = new Reconciler(tables.endpointPolicies, {
    update: async (rows) => {
      written.push(...rows.map(({ address }) => address))
      return fails
        ? new Map(rows.map((each) => [each.address, new Error('map full')]))
        : NO_FAILURES
    },
    delete: async () => NO_FAILURES,
  })
  reconciler.start()
  const compiler = new PolicyCompiler(tables, { implicitNamespaces: false, budget: 100 })
  compiler.start()
  const endpoint = endpointOf(POD)
  tables.endpoints.upsert(endpoint)
  let isSettled = false
  const options = { tables, settled: (key: string) => reconciler.settled(key) }
  const settled = policySettled(endpoint, options).finally(() => {
    isSettled = true
  })
  settled.catch(() => {})
  const stop = async () => {
    compiler.stop()
    await reconciler.stop()
  }
  return { tables, written, settled, stop, isSettled: () => isSettled }
}

const turns = () => new Promise((resolve) => setTimeout(resolve, 20))

test('it waits for the first lists and for the Pod, where a policy may select it', async () => {
  const { tables, written, settled, stop, isSettled } = setScene()
  await turns()
  assert.equal(isSettled(), false)
  markInputs(tables)
  await turns()
  assert.equal(isSettled(), false)
  tables.pods.upsert({ ...POD, uid: 'of another' })
  await turns()
  assert.equal(isSettled(), false)
  tables.pods.upsert({ ...POD, addresses: [] })
  await settled
  assert.deepEqual(new Set(written), new Set(POD.addresses))
  assert.equal(tables.endpointPolicies.get('10.0.1.2')?.closed, undefined)
  await stop()
})

test('it needs no Pod where no policy may select it', async () => {
  const { tables, settled, stop } = setScene({ policy: false })
  markInputs(tables)
  await settled
  await stop()
})

test('it ends with the endpoint, and with what the kernel refuses', async () => {
  const gone = setScene()
  markInputs(gone.tables)
  await turns()
  gone.tables.endpoints.delete('shop-web/eth0')
  await gone.settled
  await gone.stop()
  const failed = setScene({ fails: true, policy: false })
  markInputs(failed.tables)
  await assert.rejects(failed.settled, /^Error: policy: map full$/)
  await failed.stop()
})
