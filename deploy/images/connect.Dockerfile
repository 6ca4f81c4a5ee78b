# Kafka (target `kafka`) and Kafka Connect with Debezium (target `connect`), from the artifacts that the local stack runs:
# connectors/runtime/*.lock, each jar checked against its SHA-256. Build context: the checkout.
#
#   docker build -f deploy/images/connect.Dockerfile --target connect -t cdc-connect:3.7.0 .
#
# The jars stay in a cache of the builder (checked again each time), so that another constraint does not fetch them anew.
# A Maven repository of your own: `--secret id=jgo,src=$HOME/.config/jgo.conf` (BuildKit).
ARG DEBIAN=debian:bookworm-slim

FROM ${DEBIAN} AS jars
ARG PIP_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_CERT
ARG CURL_CA_BUNDLE
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates python3-venv && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY constraints.txt ./
RUN python3 -m venv /opt/fetch && /opt/fetch/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt jgo
COPY cdc/__init__.py cdc/errors.py cdc/
COPY cdc/local/__init__.py cdc/local/artifacts.py cdc/local/part.py cdc/local/private_file.py cdc/local/process.py cdc/local/
COPY connectors/__init__.py connectors/
COPY connectors/runtime connectors/runtime/
COPY deploy/images/jars.py deploy/images/
RUN --mount=type=secret,id=jgo,target=/root/.config/jgo.conf --mount=type=cache,target=/root/.cache/cdc-audit \
    PYTHONPATH=/src /opt/fetch/bin/python deploy/images/jars.py /jars

FROM ${DEBIAN} AS java
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl openjdk-17-jre-headless && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 kafka && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin kafka
COPY --from=jars /jars/worker /opt/kafka/libs
COPY deploy/images/log4j2.xml /opt/kafka/log4j2.xml
ENV HEAP=768m LC_ALL=C.UTF-8 TZ=UTC

FROM java AS kafka
LABEL org.opencontainers.image.title="cdc-audit: Kafka"
COPY --chmod=0755 deploy/images/kafka.sh /usr/local/bin/kafka.sh
RUN install -d -o 10001 -g 10001 -m 0700 /var/lib/kafka
USER 10001:10001
VOLUME /var/lib/kafka
ENTRYPOINT ["kafka.sh"]

FROM java AS connect
LABEL org.opencontainers.image.title="cdc-audit: Kafka Connect with Debezium"
COPY --from=jars /jars/plugins /opt/connect/plugins
COPY --chmod=0755 deploy/images/connect.sh /usr/local/bin/connect.sh
USER 10001:10001
ENTRYPOINT ["connect.sh"]
