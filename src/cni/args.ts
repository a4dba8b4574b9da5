// CNI_ARGS: "K=V;K=V". Runtimes send K8S_* in random order, always with IgnoreUnknown.
import { CniError, CODE } from './error.ts'

export interface CniArgs {
  readonly podNamespace: string
  readonly podName: string
  readonly podUid: string
  /** Wishes of callers without capabilities (nerdctl), '' when absent. */
  readonly mac: string
  readonly ip: string
}

const KNOWN = [
  'IgnoreUnknown',
  'K8S_POD_NAMESPACE',
  'K8S_POD_NAME',
  'K8S_POD_UID',
  'K8S_POD_INFRA_CONTAINER_ID',
  'MAC',
  'IP',
]

/**
 * Parses the variable. Throws code 4 on bad pairs, and on unknown keys unless IgnoreUnknown is
 * set.
 */
export function parseCniArgs(text: string): CniArgs {
  const values = new Map<string, string>()
  for (const pair of text.split(';')) {
    if (pair === '') continue
    const at = pair.indexOf('=')
    if (at < 1) {
      throw new CniError(CODE.environment, `Cannot read CNI_ARGS: "${pair}" is not KEY=VALUE`)
    }
    values.set(pair.slice(0, at), pair.slice(at + 1))
  }
  const ignoreUnknown = /^(1|true)$/i.test(values.get('IgnoreUnknown') ?? '')
  const unknown = [...values.keys()].filter((key) => !KNOWN.includes(key))
  if (unknown.length > 0 && !ignoreUnknown) {
    const names = unknown.join(', ')
    throw new CniError(CODE.environment, `Cannot read CNI_ARGS: unknown keys: ${names}`)
  }
  return {
    podNamespace: values.get('K8S_POD_NAMESPACE') ?? '',
    podName: values.get('K8S_POD_NAME') ?? '',
    podUid: values.get('K8S_POD_UID') ?? '',
    mac: values.get('MAC') ?? '',
    ip: values.get('IP') ?? '',
  }
}
