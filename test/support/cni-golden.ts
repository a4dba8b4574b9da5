// Results of ADD for one dual-stack endpoint, written down by hand from the specification of each
// version. The same shapes serve the conformance test, which puts its own names and addresses in.

export interface GoldenNames {
  readonly netns: string
  readonly hostIfName: string
  readonly mac: string
  readonly hostMac: string
  readonly address4: string
  readonly address6: string
  readonly gateway4: string
  readonly gateway6: string
}

const EXAMPLE: GoldenNames = {
  ...{ netns: '/run/netns/c1', hostIfName: 'weir0123456789a' },
  ...{ mac: '02:00:00:00:00:01', hostMac: '02:00:00:00:00:02' },
  ...{ address4: '10.0.1.5', address6: 'fd00:1::5' },
  ...{ gateway4: '10.0.1.1', gateway6: 'fd00:1::1' },
}

/** The result of a version; eth0, MTU 1450, IPv4 first. */
export function golden(version: string, names: GoldenNames = EXAMPLE): object {
  const { netns, hostIfName, mac, hostMac, address4, address6, gateway4, gateway6 } = names
  const routes = [
    { dst: '0.0.0.0/0', gw: gateway4 },
    { dst: '::/0', gw: gateway6 },
  ]
  switch (version) {
    case '0.1.0':
    case '0.2.0':
      return {
        cniVersion: version,
        ip4: { ip: `${address4}/32`, gateway: gateway4, routes: [routes[0]] },
        ip6: { ip: `${address6}/128`, gateway: gateway6, routes: [routes[1]] },
      }
    case '0.3.0':
    case '0.3.1':
    case '0.4.0':
      return {
        cniVersion: version,
        interfaces: [
          { name: hostIfName, mac: hostMac },
          { name: 'eth0', mac, sandbox: netns },
        ],
        ips: [
          { version: '4', interface: 1, address: `${address4}/32`, gateway: gateway4 },
          { version: '6', interface: 1, address: `${address6}/128`, gateway: gateway6 },
        ],
        routes,
      }
    case '1.0.0':
      return {
        cniVersion: '1.0.0',
        interfaces: [
          { name: hostIfName, mac: hostMac },
          { name: 'eth0', mac, sandbox: netns },
        ],
        ips: [
          { interface: 1, address: `${address4}/32`, gateway: gateway4 },
          { interface: 1, address: `${address6}/128`, gateway: gateway6 },
        ],
        routes,
      }
    case '1.1.0':
      return {
        cniVersion: '1.1.0',
        interfaces: [
          { name: hostIfName, mac: hostMac, mtu: 1450 },
          { name: 'eth0', mac, mtu: 1450, sandbox: netns },
        ],
        ips: [
          { interface: 1, address: `${address4}/32`, gateway: gateway4 },
          { interface: 1, address: `${address6}/128`, gateway: gateway6 },
        ],
        routes,
      }
    default:
      throw new Error(`Cannot give a golden result: no version ${version}`)
  }
}
