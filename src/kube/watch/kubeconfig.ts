// A kubeconfig's current context: where the server is and how to be let in. Plain ways (token,
// client certificate, password) are read here; plugins are left to @kubernetes/client-node, which
// is loaded only then, for it takes 70 MB.
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parse } from 'yaml'

/** Settings of TLS, as node:https takes them. */
export interface TlsSettings {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly servername?: string
  readonly rejectUnauthorized?: boolean
}

export interface Kubeconfig {
  readonly server: string
  readonly tls: TlsSettings
  /** Value of the header Authorization. */
  readonly authorization?: string
  /** The user's credentials come from a program or a provider. */
  readonly needsPlugin: boolean
  readonly text: string
}

type Named = Record<string, unknown> & { name?: unknown }
type Section = Record<string, unknown>

/** Throws an error for people when it cannot be read or misses something. */
export async function readKubeconfig(
  path: string,
  { withUser = true }: { withUser?: boolean } = {},
): Promise<Kubeconfig> {
  try {
    return await read(path, withUser)
  } catch (error) {
    const { message } = error as Error
    throw new Error(`Cannot use kubeconfig ${path}: ${message}`, { cause: error })
  }
}

async function read(path: string, withUser: boolean): Promise<Kubeconfig> {
  const text = await readFile(path, 'utf8')
  const config = (parse(text) ?? {}) as Section
  const context = find(config, 'contexts', 'context', config['current-context'])
  const cluster = find(config, 'clusters', 'cluster', context['cluster'])
  const user = withUser ? find(config, 'users', 'user', context['user']) : {}
  const server = asText(cluster['server'])
  if (server === undefined) throw new Error('its cluster has no server')
  if (cluster['proxy-url']) throw new Error('proxy-url is not supported')
  const place = dirname(path)
  const tls = {
    ca: await contentOf(cluster, 'certificate-authority', place),
    cert: await contentOf(user, 'client-certificate', place),
    key: await contentOf(user, 'client-key', place),
    servername: asText(cluster['tls-server-name']),
    rejectUnauthorized: cluster['insecure-skip-tls-verify'] === true ? false : undefined,
  }
  const authorization = await authorizationOf(user, place)
  return {
    server,
    tls: withoutAbsent(tls),
    ...(authorization === undefined ? {} : { authorization }),
    needsPlugin: Boolean(user['exec'] || user['auth-provider']),
    text,
  }
}

async function authorizationOf(user: Section, place: string): Promise<string | undefined> {
  const { username, password } = user
  const tokenFile = asText(user['tokenFile'])
  // As in client-go, the file wins over the token beside it.
  const token = tokenFile ? await readFile(resolve(place, tokenFile), 'utf8') : user['token']
  if (typeof token === 'string' && token.trim() !== '') return `Bearer ${token.trim()}`
  if (typeof username !== 'string') return undefined
  return `Basic ${Buffer.from(`${username}:${password ?? ''}`).toString('base64')}`
}

/** `certificate-authority-data` in base64, or the file that `certificate-authority` names. */
async function contentOf(
  section: Section,
  name: string,
  place: string,
): Promise<string | undefined> {
  const inline = asText(section[`${name}-data`])
  if (inline !== undefined) return Buffer.from(inline, 'base64').toString()
  const path = asText(section[name])
  return path === undefined ? undefined : readFile(resolve(place, path), 'utf8')
}

function find(config: Section, list: string, part: string, name: unknown): Section {
  const entries = Array.isArray(config[list]) ? (config[list] as Named[]) : []
  const entry = entries.find((each) => each?.name === name)
  if (!entry) throw new Error(`${list} has none named ${JSON.stringify(name)}`)
  return (entry[part] ?? {}) as Section
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function withoutAbsent(tls: { [name in keyof TlsSettings]: TlsSettings[name] | undefined }) {
  const present = Object.entries(tls).filter(([, value]) => value !== undefined)
  return Object.fromEntries(present) as TlsSettings
}
