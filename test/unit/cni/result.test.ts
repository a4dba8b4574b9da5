// The answer of ADD in the shape of each version, against golden JSON: what runtimes really parse.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatResult } from '../../../src/cni/result.ts'
import { VERSIONS } from '../../../src/cni/versions.ts'
import { parseAddress } from '../../../src/net/address.ts'
import { parseMac } from '../../../src/net/mac.ts'
import { parsePrefix } from '../../../src/net/prefix.ts'
import { golden } from '../../support/cni-golden.ts'

const ENDPOINT = {
  ...{ id: 1, containerId: 'c1', ifName: 'eth0', netns: '/run/netns/c1', network: 'weir' },
  ...{ podNamespace: '', podName: '', podUid: '', mtu: 1450, hostIfName: 'weir0123456789a' },
  addresses: [parseAddress('10.0.1.5'), parseAddress('fd00:1::5')],
  mac: parseMac('02:00:00:00:00:01'),
  hostMac: parseMac('02:00:00:00:00:02'),
  hostPorts: [],
}
const POD_CIDRS = [parsePrefix('10.0.1.0/24'), parsePrefix('fd00:1::/64')]

for (const version of VERSIONS) {
  test(`formatResult() in version ${version}`, () => {
    const result = formatResult(version, { endpoint: ENDPOINT, podCidrs: POD_CIDRS, dns: {} })
    assert.deepEqual(JSON.parse(JSON.stringify(result)), golden(version))
  })
}

test('formatResult() echoes DNS when there is any', () => {
  const dns = { nameservers: ['10.96.0.10'], search: ['svc.cluster.local'] }
  for (const version of VERSIONS) {
    const result = formatResult(version, { endpoint: ENDPOINT, podCidrs: POD_CIDRS, dns })
    assert.deepEqual((result as { dns?: object }).dns, dns)
  }
})
