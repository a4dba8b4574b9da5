// Objects of each kind as Kubernetes encodes them, written by hand from the field numbers of its
// generated.proto, beside the same objects in JSON.

export function bytes(number: number, payload: string | Uint8Array): Buffer {
  const content = Buffer.from(payload)
  return Buffer.concat([varint(number * 8 + 2), varint(content.length), content])
}

export function int(number: number, value: number): Buffer {
  return Buffer.concat([varint(number * 8), varint(value)])
}

function varint(value: number): Buffer {
  const out: number[] = []
  for (; value >= 0x80; value = Math.floor(value / 128)) out.push((value % 128) | 0x80)
  return Buffer.from([...out, value])
}

export const all = (...parts: Uint8Array[]): Buffer => Buffer.concat(parts)
const note = (key: string, value: string) => bytes(12, all(bytes(1, key), bytes(2, value)))
const label = (key: string, value: string) => bytes(11, all(bytes(1, key), bytes(2, value)))

/** With fields that the schema does not have: generateName, selfLink, generation, times. */
export function metadata(name: string, ...labels: Buffer[]): Buffer {
  return all(
    ...[bytes(1, name), bytes(2, 'gen-'), bytes(3, 'shop'), bytes(4, '/self')],
    ...[bytes(5, 'uid-1'), bytes(6, '4711'), int(7, 3), bytes(8, int(1, 1_700_000_000))],
    ...labels,
    bytes(12, all(bytes(1, 'note'), bytes(2, 'x'.repeat(300)))),
  )
}

const containerPort = (name: string, port: number) =>
  all(bytes(1, name), int(2, 0), int(3, port), bytes(4, 'TCP'), bytes(5, ''))

/** How Kubernetes writes each kind, field numbers from generated.proto. */
export const ENCODED: Readonly<Record<string, { binary: Buffer; json: object }>> = {
  Node: {
    binary: all(
      bytes(1, metadata('n1', label('zone', ''))),
      bytes(
        2,
        all(
          bytes(1, '10.1.1.0/24'),
          bytes(3, 'provider'),
          bytes(5, all(bytes(1, 'ToBeDeletedByClusterAutoscaler'), bytes(3, 'NoSchedule'))),
          bytes(7, '10.1.1.0/24'),
          bytes(7, 'fd00::/64'),
        ),
      ),
      bytes(
        3,
        all(
          bytes(5, all(bytes(1, 'InternalIP'), bytes(2, '192.0.2.1'))),
          bytes(8, bytes(1, 'image')),
        ),
      ),
    ),
    json: {
      metadata: { name: 'n1', labels: { zone: '' } },
      spec: {
        podCIDR: '10.1.1.0/24',
        podCIDRs: ['10.1.1.0/24', 'fd00::/64'],
        taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }],
      },
      status: { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] },
    },
  },
  Namespace: {
    binary: all(
      bytes(1, metadata('shop', label('team', 'a'), note('weir.io/policy-audit', 'true'))),
      bytes(2, bytes(1, 'kubernetes')),
    ),
    json: {
      metadata: {
        ...{ name: 'shop', labels: { team: 'a' } },
        annotations: { 'weir.io/policy-audit': 'true' },
      },
    },
  },
  Pod: {
    binary: all(
      bytes(1, metadata('web-1', label('app', 'web'), label('tier', 'front'))),
      bytes(
        2,
        all(
          bytes(2, all(bytes(1, 'web'), bytes(6, containerPort('http', 8080)), bytes(24, ''))),
          ...[bytes(10, 'n1'), int(11, 0), int(12, 1)],
          bytes(20, all(bytes(1, 'once'), bytes(6, containerPort('setup', 1)))),
          bytes(20, all(bytes(6, containerPort('proxy', 15001)), bytes(24, 'Always'))),
        ),
      ),
      bytes(
        3,
        all(
          bytes(1, 'Running'),
          bytes(5, '192.0.2.1'),
          bytes(6, '10.1.1.7'),
          bytes(12, bytes(1, '10.1.1.7')),
          bytes(12, bytes(1, 'fd00::7')),
        ),
      ),
    ),
    json: {
      metadata: {
        ...{ name: 'web-1', namespace: 'shop', uid: 'uid-1' },
        labels: { app: 'web', tier: 'front' },
      },
      spec: {
        nodeName: 'n1',
        containers: [{ ports: [{ name: 'http', containerPort: 8080 }] }],
        initContainers: [
          { ports: [{ name: 'setup', containerPort: 1 }] },
          { ports: [{ name: 'proxy', containerPort: 15001 }], restartPolicy: 'Always' },
        ],
      },
      status: {
        phase: 'Running',
        podIP: '10.1.1.7',
        podIPs: [{ ip: '10.1.1.7' }, { ip: 'fd00::7' }],
      },
    },
  },
  Service: {
    binary: all(
      bytes(1, metadata('web', note('weir.io/balancing', 'maglev'))),
      bytes(
        2,
        all(
          bytes(
            1,
            all(
              bytes(1, 'http'),
              bytes(2, 'TCP'),
              int(3, 80),
              bytes(4, all(int(1, 0), int(2, 8080), bytes(3, ''))),
              int(5, 0),
            ),
          ),
          bytes(1, all(bytes(1, 'dns'), bytes(2, 'UDP'), int(3, 53), int(5, 30053))),
          bytes(2, all(bytes(1, 'app'), bytes(2, 'web'))),
          ...[
            bytes(3, '10.96.0.1'),
            bytes(4, 'LoadBalancer'),
            bytes(5, '192.0.2.7'),
            bytes(7, 'ClientIP'),
            bytes(8, ''),
            bytes(9, ' 198.51.100.0/24'),
            bytes(10, ''),
            bytes(11, 'Local'),
            int(12, 31000),
            bytes(14, bytes(1, int(1, 60))),
          ],
          ...[
            bytes(17, 'SingleStack'),
            bytes(18, '10.96.0.1'),
            bytes(19, 'IPv4'),
            bytes(22, 'Local'),
          ],
        ),
      ),
      bytes(
        3,
        bytes(
          1,
          all(
            bytes(1, bytes(1, '192.0.2.8')),
            bytes(1, all(bytes(1, '192.0.2.9'), bytes(3, 'Proxy'))),
          ),
        ),
      ),
    ),
    json: {
      metadata: {
        name: 'web',
        namespace: 'shop',
        uid: 'uid-1',
        annotations: { 'weir.io/balancing': 'maglev' },
      },
      spec: {
        clusterIP: '10.96.0.1',
        clusterIPs: ['10.96.0.1'],
        type: 'LoadBalancer',
        externalIPs: ['192.0.2.7'],
        loadBalancerSourceRanges: [' 198.51.100.0/24'],
        internalTrafficPolicy: 'Local',
        externalTrafficPolicy: 'Local',
        healthCheckNodePort: 31000,
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
        ports: [
          { name: 'http', port: 80, targetPort: 8080 },
          { name: 'dns', protocol: 'UDP', port: 53, nodePort: 30053 },
        ],
      },
      status: {
        loadBalancer: { ingress: [{ ip: '192.0.2.8' }, { ip: '192.0.2.9', ipMode: 'Proxy' }] },
      },
    },
  },
  EndpointSlice: {
    binary: all(
      bytes(
        1,
        metadata(
          'web-abc',
          label('kubernetes.io/service-name', 'web'),
          note('endpoints.kubernetes.io/last-change-trigger-time', '2026-11-25T10:00:00Z'),
        ),
      ),
      bytes(
        2,
        all(
          bytes(1, '10.1.1.7'),
          bytes(2, all(int(1, 0), int(2, 1), int(3, 1))),
          bytes(4, bytes(1, 'Pod')),
          bytes(6, 'n1'),
          bytes(7, 'z1'),
          bytes(8, all(bytes(1, bytes(1, 'z1')), bytes(2, bytes(1, 'n1')))),
        ),
      ),
      bytes(2, all(bytes(1, '10.1.1.8'), bytes(2, ''))),
      bytes(3, all(bytes(1, 'http'), bytes(2, 'TCP'), int(3, 8080))),
      bytes(3, all(bytes(1, 'any'), bytes(2, 'TCP'))),
      bytes(4, 'IPv4'),
    ),
    json: {
      metadata: {
        name: 'web-abc',
        namespace: 'shop',
        labels: { 'kubernetes.io/service-name': 'web' },
        annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-11-25T10:00:00Z' },
      },
      addressType: 'IPv4',
      endpoints: [
        {
          addresses: ['10.1.1.7'],
          conditions: { ready: false, serving: true, terminating: true },
          nodeName: 'n1',
          zone: 'z1',
          hints: { forZones: [{ name: 'z1' }], forNodes: [{ name: 'n1' }] },
        },
        { addresses: ['10.1.1.8'], conditions: {} },
      ],
      ports: [
        { name: 'http', protocol: 'TCP', port: 8080 },
        { name: 'any', protocol: 'TCP' },
      ],
    },
  },
  NetworkPolicy: {
    binary: all(
      bytes(1, metadata('allow')),
      bytes(
        2,
        all(
          bytes(1, bytes(1, all(bytes(1, 'app'), bytes(2, 'web')))),
          bytes(
            2,
            all(
              bytes(1, all(bytes(1, 'TCP'), bytes(2, all(int(1, 0), int(2, 80), bytes(3, ''))))),
              bytes(1, all(bytes(1, 'UDP'), bytes(2, all(int(1, 1), int(2, 0), bytes(3, 'dns'))))),
              bytes(2, all(bytes(1, ''), bytes(2, ''))),
              bytes(2, bytes(3, all(bytes(1, '10.0.0.0/8'), bytes(2, '10.1.0.0/16')))),
            ),
          ),
          bytes(4, 'Ingress'),
        ),
      ),
    ),
    json: {
      metadata: { name: 'allow', namespace: 'shop' },
      spec: {
        podSelector: { matchLabels: { app: 'web' } },
        ingress: [
          {
            ports: [
              { protocol: 'TCP', port: 80 },
              { protocol: 'UDP', port: 'dns' },
            ],
            from: [
              { podSelector: {}, namespaceSelector: {} },
              { ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } },
            ],
          },
        ],
        policyTypes: ['Ingress'],
      },
    },
  },
  ServiceCIDR: {
    binary: all(
      bytes(1, metadata('kubernetes')),
      bytes(2, all(bytes(1, '10.96.0.0/12'), bytes(1, 'fd00:96::/112'))),
      bytes(3, bytes(1, bytes(1, 'Ready'))),
    ),
    json: { metadata: { name: 'kubernetes' }, spec: { cidrs: ['10.96.0.0/12', 'fd00:96::/112'] } },
  },
}
