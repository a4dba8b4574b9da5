// Where the API server is and how to be let in. The address never comes from a Service of the
// cluster as long as anything else is known, for Weir is what makes Services work.
import { readFile } from 'node:fs/promises'
import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import { type Kubeconfig, readKubeconfig, type TlsSettings } from './kubeconfig.ts'
import { CredentialPlugin } from './plugin.ts'

export interface AccessSettings {
  /** URLs that a person gave; tried in order. */
  readonly apiServers: readonly string[]
  readonly kubeconfig?: string
  /** KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are read. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where a pod finds its service account. */
  readonly serviceAccountDir?: string
  readonly kubeletKubeconfigs?: readonly string[]
}

export interface Access {
  /** URLs without a trailing slash, at least one. */
  readonly servers: readonly string[]
  /** How they were found, for people: "--api-server". */
  readonly how: string
  readonly tls: TlsSettings
  readonly authorization?: string
}

const SERVICE_ACCOUNT_DIR = '/var/run/secrets/kubernetes.io/serviceaccount'
const KUBELET_KUBECONFIGS = ['/etc/kubernetes/kubelet.conf', '/var/lib/kubelet/kubeconfig']

interface ServiceAccount {
  readonly tls: TlsSettings
  readonly authorization: string
}

/** Reads everything anew, so that rotated tokens and certificates are found. */
export class AccessReader {
  readonly #settings: AccessSettings
  #plugin: { text: string; plugin: CredentialPlugin } | undefined

  constructor(settings: AccessSettings) {
    this.#settings = settings
  }

  /** Throws an error for people when no API server can be found. */
  async read(): Promise<Access> {
    const { apiServers, kubeconfig } = this.#settings
    if (kubeconfig !== undefined) return this.#fromKubeconfig(kubeconfig, apiServers)
    const account = await this.#readServiceAccount()
    const kubelet = await this.#readKubelet(account === undefined)
    if (apiServers.length > 0) {
      const credentials = account ?? (await this.#credentialsOf(kubelet?.config))
      return access(apiServers, '--api-server', credentials)
    }
    if (kubelet) {
      const { config, path } = kubelet
      const credentials = account ?? (await this.#credentialsOf(config))
      // The kubelet's authority is the one that vouches for the address found beside it.
      const tls = { ...credentials.tls, ...authorityOf(config.tls) }
      return access([config.server], `the kubelet's ${path}`, { ...credentials, tls })
    }
    return access([this.#fromEnvironment()], 'KUBERNETES_SERVICE_HOST', account ?? { tls: {} })
  }

  /** Asks plugins again, also when what they gave should still be valid. */
  forget(): void {
    this.#plugin = undefined
  }

  async #fromKubeconfig(path: string, apiServers: readonly string[]): Promise<Access> {
    const config = await readKubeconfig(path)
    const credentials = await this.#credentialsOf(config)
    if (apiServers.length > 0) return access(apiServers, '--api-server', credentials)
    return access([config.server], `--kubeconfig ${path}`, credentials)
  }

  async #credentialsOf(
    config: Kubeconfig | undefined,
  ): Promise<Pick<Access, 'tls' | 'authorization'>> {
    if (!config) return { tls: {} }
    if (!config.needsPlugin) return config
    if (this.#plugin?.text !== config.text) {
      this.#plugin = { text: config.text, plugin: new CredentialPlugin(config.text) }
    }
    const given = await this.#plugin.plugin.credentials()
    return { ...given, tls: { ...config.tls, ...given.tls } }
  }

  #fromEnvironment(): string {
    const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = this.#settings.env
    if (!host) {
      throw new Error(
        'Cannot find the API server: give --api-server or --kubeconfig; there is no kubeconfig ' +
          `of the kubelet (${this.#kubeletPaths.join(', ')}) and no KUBERNETES_SERVICE_HOST`,
      )
    }
    return `https://${isIPv6(host) ? `[${host}]` : host}:${port || '443'}`
  }

  get #kubeletPaths(): readonly string[] {
    return this.#settings.kubeletKubeconfigs ?? KUBELET_KUBECONFIGS
  }

  /** The first that is there; one that is there and cannot be used is an error. */
  async #readKubelet(withUser: boolean): Promise<{ config: Kubeconfig; path: string } | undefined> {
    for (const path of this.#kubeletPaths) {
      if ((await readIfThere(path)) === undefined) continue
      return { config: await readKubeconfig(path, { withUser }), path }
    }
    return undefined
  }

  async #readServiceAccount(): Promise<ServiceAccount | undefined> {
    const directory = this.#settings.serviceAccountDir ?? SERVICE_ACCOUNT_DIR
    const token = (await readIfThere(join(directory, 'token')))?.trim()
    if (!token) return undefined
    const ca = await readIfThere(join(directory, 'ca.crt'))
    return { tls: ca ? { ca } : {}, authorization: `Bearer ${token}` }
  }
}

function access(
  servers: readonly string[],
  how: string,
  { tls, authorization }: Pick<Access, 'tls' | 'authorization'>,
): Access {
  return {
    servers: servers.map((server) => server.replace(/\/+$/, '')),
    how,
    tls,
    ...(authorization === undefined ? {} : { authorization }),
  }
}

function authorityOf({ ca, servername, rejectUnauthorized }: TlsSettings): TlsSettings {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(servername === undefined ? {} : { servername }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}
