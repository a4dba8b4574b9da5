// Connected UDP sockets, found and ended in a namespace of this test's own.
import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { openLibrary } from '../../src/libbpf/library.ts'
import { Netlink } from '../../src/netlink/netlink.ts'
import { destroySockets, listConnectedUdp, readNetnsCookie } from '../../src/netlink/sockets.ts'
import { enterOwnNetns, ip } from '../support/own-netns.ts'

enterOwnNetns()
ip('link set lo up')

const LOOPBACK = { 4: '127.0.0.1', 6: '::1' } as const

async function connected(family: 4 | 6, port: number): Promise<Socket> {
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6')
  socket.connect(port, LOOPBACK[family])
  await once(socket, 'connect')
  return socket
}

test('a connected UDP socket is listed with its remote end, and ended alone', async () => {
  using netlink = Netlink.openSockets(openLibrary())
  for (const family of [4, 6] as const) {
    const [doomed, other] = [await connected(family, 9001), await connected(family, 9002)]
    const found = listConnectedUdp(netlink, family)
    assert.deepEqual(
      found.map(({ remote, remotePort }) => `${remote} ${remotePort}`).sort(),
      [9001, 9002].map((port) => `${LOOPBACK[family]} ${port}`),
    )
    const dead = found.filter(({ remotePort }) => remotePort === 9001)
    const failed = once(doomed, 'error')
    destroySockets(netlink, dead)
    const [error] = await failed
    assert.match(String(error), /ECONNABORTED/)
    assert.deepEqual(
      listConnectedUdp(netlink, family).map(({ remotePort }) => remotePort),
      [9002],
    )
    destroySockets(netlink, dead)
    doomed.close()
    other.close()
  }
})

test('readNetnsCookie() answers the same number each time, and never 0', () => {
  const cookie = readNetnsCookie(openLibrary())
  assert.notEqual(cookie, 0n)
  assert.equal(readNetnsCookie(openLibrary()), cookie)
})
