// The pages of the API: method and path to a function that gives the answer's JSON.
import { endpointViews } from './endpoint-view.ts'
import { identityViews } from './identity-view.ts'
import { nodeViews } from './node-view.ts'
import { PolicyDrift } from './policy-drift.ts'
import { policyViews } from './policy-view.ts'
import { explainService } from './service-explain.ts'
import { serviceViews } from './service-view.ts'
import type { ApiSources } from './sources.ts'
import { readStatus } from './status.ts'

/** An answer that is not 200; `message` is one clear sentence. */
export class RequestError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

type Page = (sources: ApiSources, name: string) => unknown

/** Read-only pages. `:name` stands for one path segment. */
const PAGES: Readonly<Record<string, Page>> = {
  '/v1/status': (sources) => readStatus(sources),
  '/v1/tables': ({ tables }) =>
    Object.values(tables).map(({ name, size, revision, initialized }) => ({
      ...{ name, rows: size, revision, initialized },
    })),
  '/v1/tables/:name': ({ tables }, name) => {
    const table = Object.values(tables).find((each) => each.name === name)
    if (table) return [...table.entries()]
    const known = Object.keys(tables).join(', ')
    throw new RequestError(404, `Cannot read table "${name}": there are ${known}`)
  },
  '/v1/endpoints': async ({ tables, actual }) =>
    endpointViews(tables, await actual.endpoints(), await policyDrift(tables, actual)),
  '/v1/services': async ({ tables, actual, facts }) =>
    serviceViews(tables, await actual.frontends(), { nodeName: (await facts()).nodeName }),
  '/v1/services/:name': async ({ tables, actual, facts }, wanted) => {
    const { nodeName } = await facts()
    return serviceViews(tables, await actual.frontends(), { nodeName, wanted })
  },
  '/v1/service-explanations/:name': async ({ tables, actual, facts }, name) => {
    const { nodeName, socketServices } = await facts()
    const kernel = await actual.frontends()
    return explainService(name, { tables, actual: kernel, nodeName, socketServices })
  },
  '/v1/nodes': async ({ tables, actual, facts }) => {
    const { nodeName } = await facts()
    const kernel = { destinations: await actual.destinations(), routes: await actual.routes() }
    return nodeViews(tables, kernel, nodeName)
  },
  '/v1/policies': async ({ tables, actual }) =>
    policyViews(tables, await policyDrift(tables, actual)),
  '/v1/identities': async ({ tables, actual }) => identityViews(tables, await actual.identities()),
}

async function policyDrift(
  tables: ApiSources['tables'],
  actual: ApiSources['actual'],
): Promise<PolicyDrift> {
  return new PolicyDrift(tables, await actual.podPolicies())
}

/** Paths that are answered beside the read-only pages, with their methods. */
export const CNI_PATH = '/v1/cni'
export const MONITOR_PATH = '/v1/monitor'
export const VERDICTS_PATH = '/v1/monitor/verdicts'

/** The page for a path, with its sources bound. Throws RequestError when there is none. */
export function findPage(method: string, path: string): (sources: ApiSources) => unknown {
  const segments = path.split('/')
  const pattern = segments.length === 4 ? [...segments.slice(0, 3), ':name'].join('/') : path
  const page = PAGES[pattern]
  if (!page) {
    const known = [...Object.keys(PAGES), CNI_PATH, MONITOR_PATH, VERDICTS_PATH].join(', ')
    throw new RequestError(404, `Cannot find ${path}: there are ${known}`)
  }
  if (method !== 'GET') throw new RequestError(405, `Cannot ${method} ${path}: it is read with GET`)
  const name = decode(segments[3] ?? '')
  return (sources) => page(sources, name)
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new RequestError(400, `Cannot read path segment "${segment}": bad percent-encoding`)
  }
}
