#!/bin/bash
# What stands in for Docker Hub, on Debian as root: an engine of its own under DIRECTORY, Compose v2 built from its Go module, the base image
# `debian:bookworm-slim` (debootstrap), and all images built on it. With KERNEL=native also `rust:1.95-slim-bookworm` (this machine's toolchain).
# Repeat it after whatever broke off. Prints what to export. Stop the engine with `kill $(cat DIRECTORY/docker.pid)`; then DIRECTORY may be deleted.
#
#   bash deploy/compose/standin/prepare.sh DIRECTORY
set -euo pipefail
directory=$(realpath -m "${1:?usage: prepare.sh DIRECTORY}")
mkdir -p "$directory"
began=$SECONDS
say() { printf '%4d s  %s\n' $((SECONDS - began)) "$1" >&2; }

if ! command -v dockerd > /dev/null || ! command -v debootstrap > /dev/null; then
    # Nothing that apt installs is to be started: the engine runs under DIRECTORY.
    printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io debootstrap iptables > "$directory/apt.log" 2>&1
    rm /usr/sbin/policy-rc.d
fi
say "engine: $(dockerd --version)"

# Debian's client builds with BuildKit by itself; a newer one before it in the path would want buildx.
export PATH=/usr/bin:$PATH
export DOCKER_HOST=unix://$directory/docker.sock DOCKER_CONFIG=$directory/config DOCKER_BUILDKIT=1
if ! docker info > /dev/null 2>&1; then
    setsid dockerd --host "$DOCKER_HOST" --data-root "$directory/data" --exec-root "$directory/exec" --pidfile "$directory/docker.pid" \
        > "$directory/dockerd.log" 2>&1 < /dev/null &
    for _ in $(seq 60); do docker info > /dev/null 2>&1 && break; sleep 1; done
fi
docker info --format 'engine {{.ServerVersion}}, {{.Driver}}, cgroup {{.CgroupVersion}}' >&2

plugin=$DOCKER_CONFIG/cli-plugins/docker-compose
if [ ! -x "$plugin" ]; then
    mkdir -p "$(dirname "$plugin")" "$directory/compose"
    cd "$directory/compose"
    [ -f go.mod ] || go mod init standin > /dev/null 2>&1
    go get github.com/docker/compose/v2@v2.40.3 > "$directory/compose.log" 2>&1
    source=$(go list -m -f '{{.Dir}}' github.com/docker/compose/v2)
    rm -rf source && cp -r "$source" source && chmod -R u+w source
    (cd source && go build -trimpath -ldflags '-s -w -X github.com/docker/compose/v2/internal.Version=v2.40.3' -o "$plugin" ./cmd)
    cd - > /dev/null
fi
say "compose: $(docker compose version)"

if ! docker image inspect debian:bookworm-slim > /dev/null 2>&1; then
    root=$directory/bookworm
    [ -d "$root/etc" ] || debootstrap --variant=minbase bookworm "$root" > "$directory/debootstrap.log" 2>&1
    # As this machine reaches its registries: its package sources, and the certificates that it trusts.
    cp /etc/apt/sources.list.d/debian.sources "$root/etc/apt/sources.list.d/" && : > "$root/etc/apt/sources.list"
    mkdir -p "$root/etc/ssl/certs" && cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    mkdir -p "$root/usr/local/share/ca-certificates" && cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
    tar -C "$root" --exclude=./var/cache/apt/archives/*.deb -c . | docker import - debian:bookworm-slim > /dev/null
fi
kernel=${KERNEL:-python}
if [ "$kernel" = native ] && ! docker image inspect rust:1.95-slim-bookworm > /dev/null 2>&1; then
    toolchain=$(dirname "$(dirname "$(rustup which cargo)")")
    tar -C "$toolchain" --exclude=./share -c . > "$directory/rust.tar"
    docker build -q --network host -t rust:1.95-slim-bookworm -f - "$directory" > /dev/null <<'DOCKERFILE'
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates gcc libc6-dev && rm -rf /var/lib/apt/lists/*
ADD rust.tar /usr/local
DOCKERFILE
    rm "$directory/rust.tar"
fi
build() { docker build --quiet --network host --build-arg PIP_INDEX_URL --build-arg PIP_FIND_LINKS --build-arg PIP_CERT --build-arg CURL_CA_BUNDLE \
    --build-arg CARGO_HTTP_CAINFO --build-arg "KERNEL=$kernel" "$@" > /dev/null 2>> "$directory/build.log"; }
cd "$(dirname "$0")/../../.."
build -f deploy/images/connect.Dockerfile --target kafka -t cdc-kafka:4.3.1 .
build -f deploy/images/connect.Dockerfile --target connect -t cdc-connect:3.7.0 .
build -f deploy/images/cdc.Dockerfile -t cdc-audit:0.1.0 .
build -f deploy/compose/standin/postgres.Dockerfile -t standin-postgres:18.4 .
build -f deploy/compose/standin/prometheus.Dockerfile -t standin-prometheus:debian deploy/compose/standin
say "images: $(docker images --format '{{.Repository}}:{{.Tag}} {{.Size}}' | tr '\n' ';')"
printf 'export PATH=/usr/bin:$PATH DOCKER_HOST=%s DOCKER_CONFIG=%s DOCKER_BUILDKIT=1 COMPOSE_FILE=docker-compose.yml:deploy/compose/standin.yml\n' "$DOCKER_HOST" "$DOCKER_CONFIG"
