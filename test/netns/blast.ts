// A load that runs in a namespace, for tests of bandwidth: `receive PORT` counts what TCP and UDP
// bring and tells the sum whenever it is asked by a line on standard input; `send tcp|udp ADDRESS
// PORT` sends all it can until its standard input ends.
import { createSocket } from 'node:dgram'
import { connect, createServer } from 'node:net'

const UDP_PAYLOAD = 1200
const CHUNK = Buffer.alloc(128 * 1024)
/** Datagrams handed over at once. */
const WINDOW = 32

const [role, ...args] = process.argv.slice(2)
process.stdin.resume()
if (role === 'receive') receive(Number(args[0]))
else send(args[0] === 'udp', args[1] ?? '', Number(args[2]))

function receive(port: number): void {
  let bytes = 0
  const server = createServer((socket) => {
    socket.on('data', (data) => {
      bytes += data.length
    })
    socket.on('error', () => {})
  })
  const socket = createSocket({ type: 'udp6', ipv6Only: false, recvBufferSize: 1 << 20 })
  socket.on('message', (message) => {
    bytes += message.length
  })
  socket.bind(port, '::', () => {
    server.listen(port, '::', () => process.stdout.write('0\n'))
  })
  process.stdin.on('data', () => process.stdout.write(`${bytes}\n`))
  process.stdin.on('end', () => process.exit(0))
}

function send(isUdp: boolean, address: string, port: number): void {
  process.stdin.on('end', () => process.exit(0))
  if (isUdp) sendDatagrams(address, port)
  else sendStream(address, port)
}

function sendStream(address: string, port: number): void {
  const socket = connect(port, address)
  const fill = (): void => {
    while (socket.write(CHUNK));
  }
  socket.on('connect', fill).on('drain', fill)
}

/** A window at a time, with turns for everything else between them. */
function sendDatagrams(address: string, port: number): void {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  const payload = Buffer.alloc(UDP_PAYLOAD)
  const round = (): void => {
    let open = WINDOW
    for (let i = 0; i < WINDOW; i++) {
      socket.send(payload, port, address, () => {
        if (--open === 0) setImmediate(round)
      })
    }
  }
  round()
}
