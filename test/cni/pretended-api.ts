// As much of an API server as Multus asks: a pod, NetworkAttachmentDefinitions by name, and a
// status that may be written. Objects come in the environment; it runs in the node's namespace.
import { createServer } from 'node:http'

interface Objects {
  /** Pods by "namespace/name", definitions by name. */
  readonly pods: Record<string, object>
  readonly definitions: Record<string, object>
}

const { pods, definitions } = JSON.parse(process.env['OBJECTS'] ?? '{}') as Objects

createServer((request, response) => {
  const found = answer(request.url ?? '')
  request.resume().on('end', () => {
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' })
    const missing = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 404 }
    response.end(JSON.stringify(found ?? { ...missing, reason: 'NotFound' }))
  })
}).listen(Number(process.argv[2]), '127.0.0.1', () => console.log('ready'))

function answer(url: string): object | undefined {
  const pod = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/?]+)/.exec(url)
  if (pod) return pods[`${pod[1]}/${pod[2]}`]
  const definition = /\/network-attachment-definitions\/([^/?]+)/.exec(url)
  return definition ? definitions[definition[1] ?? ''] : undefined
}
