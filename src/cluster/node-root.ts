// The script that becomes pid 1 of a node: it builds the node's root file system inside the new
// namespaces and moves into it. Everything is mounted in the node's own mount namespace, so that
// nothing stays on this machine when the node ends. Pure: text only.
import { CONTROLLERS } from './paths.ts'

export interface NodeRoot {
  readonly name: string
  /** The node's directory on this machine's disk. */
  readonly directory: string
  /** Kubernetes' programs, Debian's, images, weir-init. */
  readonly bin: string
  readonly debian: string
  readonly images: string
  readonly init: string
}

/** Where the node sees them. */
export const NODE_PATHS = {
  bin: '/opt/kubernetes',
  debian: '/opt/debian',
  images: '/opt/images',
  config: '/etc/kubernetes',
} as const

/** Directories of the node that live on disk; the rest of its root is memory. */
export const NODE_DISKS = {
  containerd: '/var/lib/containerd',
  kubelet: '/var/lib/kubelet',
  pods: '/var/log/pods',
  weir: '/var/lib/weir',
  'cni-bin': '/opt/cni/bin',
  'cni-conf': '/etc/cni/net.d',
  config: NODE_PATHS.config,
} as const

/**
 * Sysctls of the whole machine that the kubelet sets when they differ; it is shown files that hold
 * its wishes already, so that this machine keeps its own.
 */
const SHOWN_SYSCTLS: Readonly<Record<string, string>> = {
  'vm/overcommit_memory': '1',
  'vm/panic_on_oom': '0',
  'kernel/panic': '10',
  'kernel/panic_on_oops': '1',
  'kernel/keys/root_maxkeys': '1000000',
  'kernel/keys/root_maxbytes': '25000000',
}

/** Lines of sh. */
export function nodeScript(root: NodeRoot): string {
  const top = `${root.directory}/root`
  return [
    'set -e',
    `hostname ${root.name}`,
    ...rootLines(root.directory, top),
    ...kernelLines(root.directory, top),
    ...bindLines(root, top),
    ...fileLines(root, top),
    `cd ${top}`,
    'pivot_root . .old',
    // Pods share mounts with the node (Bidirectional) only if the node's root is shared.
    'mount --make-rshared /',
    'umount -l /.old',
    'rmdir /.old',
    'exec /sbin/weir-init',
  ].join('\n')
}

/** An overlay over this machine's root: its programs are there, what is written is the node's. */
function rootLines(directory: string, top: string): string[] {
  const memory = `${directory}/memory`
  const upper = `upperdir=${memory}/upper,workdir=${memory}/work`
  const directories = [
    ...[...Object.values(NODE_DISKS), ...Object.values(NODE_PATHS)],
    ...['/var/log/containers', '/.old'],
  ]
  return [
    `mkdir -p ${memory} ${top}`,
    `mount -t tmpfs -o size=512m weir ${memory}`,
    `mkdir ${memory}/upper ${memory}/work ${memory}/shown`,
    `mount -t overlay -o lowerdir=/,${upper} weir ${top}`,
    `mkdir -p ${directories.map((each) => `${top}${each}`).join(' ')}`,
    ...['tmp', 'run'].map((each) => `mount -t tmpfs weir ${top}/${each}`),
    `chmod 1777 ${top}/tmp`,
    `mkdir ${top}/run/lock ${top}/run/netns`,
  ]
}

function kernelLines(directory: string, top: string): string[] {
  const shown = Object.entries(SHOWN_SYSCTLS).flatMap(([name, value]) => {
    const file = `${directory}/memory/shown/${name.replaceAll('/', '.')}`
    return [`echo ${value} > ${file}`, `mount --bind ${file} ${top}/proc/sys/${name}`]
  })
  const cgroups = `${top}/sys/fs/cgroup`
  return [
    `mount -t proc proc ${top}/proc`,
    ...shown,
    `mount -t sysfs sysfs ${top}/sys`,
    `mount --rbind /dev ${top}/dev`,
    // Inside the new cgroup namespace, so that the node sees its own part of each hierarchy only.
    `mount -t tmpfs weir ${cgroups}`,
    ...CONTROLLERS.flatMap((each) => [
      `mkdir ${cgroups}/${each}`,
      `mount -t cgroup -o ${each} cgroup ${cgroups}/${each}`,
    ]),
    ...[`mkdir ${cgroups}/unified`, `mount -t cgroup2 cgroup2 ${cgroups}/unified`],
    `mount -t bpf bpf ${top}/sys/fs/bpf`,
  ]
}

function bindLines(root: NodeRoot, top: string): string[] {
  const disks = Object.entries(NODE_DISKS).map(([name, target]) => {
    return `mount --bind ${root.directory}/${name} ${top}${target}`
  })
  return [
    ...disks,
    ...(['bin', 'debian', 'images'] as const).map(
      (name) => `mount --bind ${root[name]} ${top}${NODE_PATHS[name]}`,
    ),
  ]
}

function fileLines(root: NodeRoot, top: string): string[] {
  return [
    `cp ${root.init} ${top}/sbin/weir-init`,
    // The runtime itself calls it for lo.
    `cp ${root.debian}/usr/lib/cni/loopback ${top}/opt/cni/bin/`,
    `rm -f ${top}/etc/resolv.conf ${top}/etc/hosts`,
    `: > ${top}/etc/resolv.conf`,
    `printf '127.0.0.1 localhost\\n::1 localhost\\n127.0.1.1 ${root.name}\\n' > ${top}/etc/hosts`,
  ]
}
