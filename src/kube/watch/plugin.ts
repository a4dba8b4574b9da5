// Credentials that a program or a provider of the kubeconfig gives, by @kubernetes/client-node. It
// is imported here and nowhere else at run time: with all its models it takes 70 MB.
import type { RequestOptions } from 'node:https'
import type { TlsSettings } from './kubeconfig.ts'

export interface PluginCredentials {
  readonly tls: TlsSettings
  readonly authorization?: string
}

/** Asks the plugin of one kubeconfig; keeps what it gave as long as it says that it is valid. */
export class CredentialPlugin {
  readonly #text: string
  #config: Promise<{ applyToHTTPSOptions(options: RequestOptions): Promise<void> }> | undefined

  constructor(kubeconfigText: string) {
    this.#text = kubeconfigText
  }

  async credentials(): Promise<PluginCredentials> {
    this.#config ??= loadConfig(this.#text)
    const options: RequestOptions = { headers: {} }
    await (await this.#config).applyToHTTPSOptions(options)
    const { Authorization: authorization } = options.headers as Record<string, string | undefined>
    const { cert, key } = options
    return {
      tls: {
        ...(cert ? { cert: String(cert) } : {}),
        ...(key ? { key: String(key) } : {}),
      },
      ...(authorization === undefined ? {} : { authorization }),
    }
  }
}

async function loadConfig(text: string) {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  config.loadFromString(text)
  return config
}
