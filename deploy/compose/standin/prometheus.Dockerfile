# Stands in for prom/prometheus: Debian's package, under the same user id and paths.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends prometheus && rm -rf /var/lib/apt/lists/* \
    && ln -s /usr/bin/prometheus /bin/prometheus 2>/dev/null || true \
    && install -d -o 65534 -g 65534 /prometheus
USER 65534:65534
WORKDIR /prometheus
ENTRYPOINT ["/usr/bin/prometheus"]
