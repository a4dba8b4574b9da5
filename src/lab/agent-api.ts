// Reads pages of an agent's API over its unix socket.
import { request } from 'node:http'

/** GET on the agent's socket; its JSON. Throws on any status but 200. */
export function askAgent(socketPath: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, path, timeout: 5000 }, (answer) => {
      const parts: Buffer[] = []
      answer.on('data', (part: Buffer) => parts.push(part))
      answer.on('end', () => {
        const text = Buffer.concat(parts).toString()
        if (answer.statusCode === 200) resolve(JSON.parse(text))
        else reject(new Error(`Cannot read ${path}: ${answer.statusCode} ${text}`))
      })
    })
    asking.on('error', reject)
    asking.on('timeout', () => asking.destroy(new Error(`Cannot read ${path}: no answer in 5 s`)))
    asking.end()
  })
}
