// Configuration files of a node's containerd and kubelet. Pure: text only.
import { stringify } from 'yaml'
import { PAUSE_IMAGE } from './image-names.ts'
import { NODE_PATHS } from './node-root.ts'
import { CLUSTER_DNS } from './spec.ts'

/** For containerd 1.6, as Debian 12 has it. */
export function containerdConfig(): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"'
  return [
    'version = 2',
    '[grpc]',
    '  address = "/run/containerd/containerd.sock"',
    `[${cri}]`,
    `  sandbox_image = "${PAUSE_IMAGE}"`,
    // Lowering the score needs CAP_SYS_RESOURCE, which a machine in a sandbox may not have.
    '  restrict_oom_score_adj = true',
    `[${cri}.cni]`,
    '  bin_dir = "/opt/cni/bin"',
    '  conf_dir = "/etc/cni/net.d"',
    `[${cri}.containerd.runtimes.runc]`,
    '  runtime_type = "io.containerd.runc.v2"',
    `[${cri}.containerd.runtimes.runc.options]`,
    `  BinaryName = "${NODE_PATHS.debian}/usr/sbin/runc"`,
    '  SystemdCgroup = false',
    '',
  ].join('\n')
}

/** Directory of static pods, below the node's configuration. */
export const STATIC_PODS = 'manifests'

/** Works on cgroup version 1, whose controllers cannot be taken from a machine that has it. */
export function kubeletConfig(): string {
  const authority = `${NODE_PATHS.config}/ca.crt`
  return stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: authority },
    },
    authorization: { mode: 'Webhook' },
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    cgroupDriver: 'cgroupfs',
    failCgroupV1: false,
    enforceNodeAllocatable: ['pods'],
    failSwapOn: false,
    staticPodPath: `${NODE_PATHS.config}/${STATIC_PODS}`,
    clusterDNS: [CLUSTER_DNS],
    clusterDomain: 'cluster.local',
    resolvConf: '/etc/resolv.conf',
    // A full disk of this machine is not the cluster's to judge.
    evictionHard: {
      'memory.available': '100Mi',
      'nodefs.available': '1%',
      'imagefs.available': '1%',
      'nodefs.inodesFree': '1%',
    },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    oomScoreAdj: 0,
  })
}
