# agnhost with Debian's tools, as its own image has Alpine's: the tests run them in its pods. Beside it
# lie the programs built for this cluster.
FROM debian:12-slim
RUN apt-get -qq update && apt-get -qq install -y --no-install-recommends \
      bind9-dnsutils conntrack curl iperf iproute2 iputils-ping netcat-openbsd procps tcpdump wget \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY agnhost coredns localhost.crt localhost.key /
RUN ln -s agnhost /agnhost-2 && mkdir /uploads
ENTRYPOINT ["/agnhost"]
CMD ["pause"]
