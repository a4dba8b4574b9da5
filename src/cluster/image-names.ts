// Names of the images that are made here and imported: no registry has them. A runtime completes
// short names by this prefix.
const PREFIX = 'docker.io/library'

export const PAUSE_IMAGE = `${PREFIX}/weir-pause:1`
/** As deploy/daemonset.yaml names it. */
export const WEIR_IMAGE = 'weir:0.1.0'
/** The lab's pod program: server and client for looking whether pods talk. */
export const POD_IMAGE = 'weir-pod:1'

/** As deploy/test-cluster/coredns.yaml names it. */
export const DNS_IMAGE = 'coredns:1.14.2'

/** As deploy/test-cluster/multus.yaml names it. */
export const MULTUS_IMAGE = 'multus:4.2.3'

/** The name under which an image must be imported to be found by its short name. */
export function fullName(image: string): string {
  return image.includes('/') ? image : `${PREFIX}/${image}`
}
