// POST /v1/cni: the CNI call goes to cni/ as it came and the answer back as it is; only counted
// here.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { RequestError } from './routes.ts'
import type { ApiSources, CniAnswer } from './sources.ts'

/** Above any network configuration: a prevResult with many addresses is a few kB. */
const MAX_BODY_BYTES = 1 << 20

/** Answers 200 with what weir-cni prints; header X-Cni-Exit is what it exits with. */
export async function answerCni(
  request: IncomingMessage,
  response: ServerResponse,
  { handleCni, observeCni }: ApiSources,
): Promise<void> {
  const startedAt = performance.now()
  const body = await readBody(request)
  const answer = await handleCni(request.headers, body)
  const verb = request.headers['x-cni-command']
  observeCni(String(verb ?? ''), codeOf(answer), performance.now() - startedAt)
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(answer.stdout),
    'x-cni-exit': String(answer.exitCode),
  })
  response.end(answer.stdout)
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) {
      throw new RequestError(413, `Cannot read the request: above ${MAX_BODY_BYTES} bytes`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** The CNI error code of an answer, 0 for success. */
function codeOf({ exitCode, stdout }: CniAnswer): number {
  if (exitCode === 0) return 0
  return Number((JSON.parse(stdout) as { code?: number }).code ?? exitCode)
}
