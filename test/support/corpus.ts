// One right frame of every kind that meets a hook: what fuzzing mutates and truncates.
import { parseAddress } from '../../src/net/address.ts'
import { pattern } from '../../src/net/bytes.ts'
import { buildArp } from '../../src/net/ethernet.ts'
import { type Body, fragments, neighbourMessage, type Packet } from '../../src/net/packet.ts'
import { echo, frame, tcp, tunnelled, udp, WAY } from './frames.ts'
import { MAC, PORT, SIDES, type Side } from './topology.ts'

/** Frames of all kinds, both families. */
export function corpus(): Uint8Array[] {
  return [...SIDES.flatMap(framesOf), arpRequest()]
}

function arpRequest(): Uint8Array {
  const [v4] = SIDES as [Side, Side]
  return buildArp({
    sourceMac: MAC.podA,
    destinationMac: MAC.broadcast,
    operation: 'request',
    senderMac: MAC.podA,
    sender: v4.podA,
    targetMac: MAC.none,
    target: v4.gateway,
  })
}

function framesOf(s: Side): Uint8Array[] {
  const node = { source: s.overlayNode, destination: parseAddress('192.168.50.1') }
  const bodies: Body[] = [
    tcp(1000, 8080, 'S'),
    tcp(1000, 8080, 'PA'),
    udp(1000, 53),
    echo(s.family, 77),
    icmpError(s, udp(1000, 53)),
    icmpError(s, tcp(1000, 8080)),
    { kind: 'raw', protocol: 132, payload: pattern(20) },
    { kind: 'raw', protocol: 47, payload: pattern(9) },
  ]
  const targets = [s.podB, s.overlayPod, s.neighbourPod, s.routedPod, s.world, s.gateway, s.nobody]
  const plain = targets.flatMap((to) => bodies.map((body) => frame(WAY.outOfA, s.podA, to, body)))
  const services = [PORT.local, PORT.none, PORT.hairpin, PORT.overlay].flatMap((port) => [
    frame(WAY.outOfA, s.podA, s.service, tcp(1000, port, 'S')),
    frame(WAY.outOfA, s.podA, s.service, udp(1000, port)),
  ])
  const inner = bodies.map((body) => frame(WAY.intoA, s.overlayPod, s.podA, body))
  const arriving = bodies.map((body) => frame(WAY.fromPeer, s.neighbourPod, s.podA, body))
  const long: Packet = {
    ...WAY.outOfA,
    source: s.podA,
    destination: s.podB,
    id: 99,
    body: udp(1000, 53, pattern(200)),
  }
  return [
    ...plain,
    ...services,
    ...arriving,
    ...inner.map((bytes) => tunnelled(bytes, node)),
    ...inner,
    ...fragments(long, 80),
    ...odd(s),
  ]
}

/** Options, extension headers, neighbour discovery. */
function odd(s: Side): Uint8Array[] {
  if (s.family === 4) {
    const options = Uint8Array.of(1, 1, 1, 0)
    return [frame(WAY.outOfA, s.podA, s.podB, tcp(1000, 8080), { options })]
  }
  const extensions = [
    { type: 0, bytes: Uint8Array.of(0, 0, 1, 4, 0, 0, 0, 0) },
    { type: 60, bytes: Uint8Array.of(0, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) },
  ]
  const solicitation = neighbourMessage({ type: 135, target: s.gateway, mac: MAC.podA })
  const group = parseAddress('ff02::1:ff00:1')
  return [
    frame(WAY.outOfA, s.podA, s.podB, tcp(1000, 8080), { extensions }),
    frame(WAY.outOfA, s.podA, group, solicitation, { ttl: 255 }),
  ]
}

/** Port unreachable, about a packet that pod A would have got. */
function icmpError(s: Side, body: Body): Body {
  const [type, code] = s.family === 4 ? [3, 3] : [1, 4]
  const quoted = frame(WAY.intoA, s.podB, s.podA, body).slice(14)
  return { kind: 'icmp', type, code, payload: quoted }
}
