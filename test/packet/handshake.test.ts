// When a TCP connection counts as established: once its initiator has acknowledged the answer.
// Until then it lives among the embryos, and works.
import * as layout from '../../src/datapath/layout.gen.ts'
import { delivered, handshake, pairAToB } from '../support/connection.ts'
import { type ExpectedFlow, type Fixture, runFixtures, type Step } from '../support/fixture.ts'
import { frame, tcp, WAY } from '../support/frames.ts'
import { enterOwnNetns } from '../support/own-netns.ts'
import { createDevices, IFINDEX, type Side } from '../support/topology.ts'
import { World } from '../support/world.ts'

enterOwnNetns()
createDevices()

const { SEEN_REPLY, RST } = layout.FlowFlags

const toB = (s: Side, flags?: string): Step => delivered(s, 'podA', 'podB', tcp(1000, 8080, flags))
const toA = (s: Side, flags?: string): Step => delivered(s, 'podB', 'podA', tcp(8080, 1000, flags))

/** The pair while only the forward half knows of an answer. */
function answered(s: Side): ExpectedFlow[] {
  const [forward] = pairAToB(s, SEEN_REPLY)
  const [, back] = pairAToB(s, 0)
  return [forward, back]
}

const HANDSHAKE: readonly Fixture[] = [
  {
    name: 'a SYN and its answer leave an embryo pair',
    steps: (s) => [toB(s, 'S'), toA(s, 'SA')],
    embryos: answered,
    flows: () => [],
  },
  {
    name: 'the initiator’s acknowledgment promotes the pair',
    steps: (s) => [toB(s, 'S'), toA(s, 'SA'), toB(s, 'A')],
    embryos: () => [],
    flows: (s) => pairAToB(s),
  },
  {
    name: 'packets of the server alone, or of the initiator alone, promote nothing',
    steps: (s) => [
      toB(s, 'S'),
      toB(s, 'A'),
      toB(s, 'PA'),
      toA(s, 'SA'),
      toA(s, 'SA'),
      toA(s, 'PA'),
    ],
    embryos: answered,
    flows: () => [],
  },
  {
    name: 'after the answer, a SYN sent again promotes nothing, nor what acknowledges nothing',
    steps: (s) => [toB(s, 'S'), toA(s, 'SA'), toB(s, 'S'), toB(s, 'P')],
    embryos: answered,
    flows: () => [],
  },
  {
    name: 'a connection met in its middle is established by one packet more than a way and back',
    steps: (s) => [toA(s, 'PA'), toB(s, 'A'), toA(s, 'PA')],
    embryos: () => [],
    flows: (s) =>
      pairAToB(s).map(({ key, flags = 0, ...rest }) => ({
        ...rest,
        key,
        flags: flags ^ layout.FlowFlags.REVERSE,
      })),
  },
  {
    name: 'an answer forged in the server’s name counts for nothing',
    steps: (s) => [toB(s, 'S'), forged(s), toB(s, 'A')],
    embryos: (s) => pairAToB(s, 0),
    flows: () => [],
    drops: { SPOOFED_SOURCE: 1 },
  },
]

/** Pod A answers itself in pod B's name. */
function forged(s: Side): Step {
  const bytes = frame(WAY.outOfA, s.podB, s.podA, tcp(8080, 1000, 'SA'))
  return { program: 'from_pod', on: IFINDEX.podA, frame: bytes, action: 'SHOT' }
}

const REFUSED: readonly Fixture[] = [
  {
    name: 'RST is no answer: the pair stays an embryo whatever the initiator sends',
    steps: (s) => [toB(s, 'S'), toA(s, 'RA'), toB(s, 'A'), toB(s, 'PA')],
    embryos: (s) => {
      const [forward] = pairAToB(s, 0)
      const [, back] = pairAToB(s, RST)
      return [forward, back]
    },
    flows: () => [],
  },
  {
    name: 'the initiator’s own RST promotes nothing',
    steps: (s) => [toB(s, 'S'), toA(s, 'SA'), toB(s, 'RA')],
    flows: () => [],
  },
  {
    name: 'what was refused and is tried again from the same port is not thought closing',
    steps: (s) => [toB(s, 'S'), toA(s, 'RA'), ...handshake(s)],
    flows: (s) => pairAToB(s),
    embryos: () => [],
  },
]

runFixtures(new World(), [...HANDSHAKE, ...REFUSED])
