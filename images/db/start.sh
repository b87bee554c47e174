#!/bin/bash
# The database tier: make the cluster in /data at the first start, then become PostgreSQL.
# DB_NAME, DB_USER and DB_PASSWORD come from the environment, more settings from /etc/db/*.conf; POD_NAME is shown to clients.
set -euo pipefail
bin=/opt/postgresql/bin
data=/data/pgdata
as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
install -d -o postgres -g postgres -m 0700 "$data"
install -d -o postgres -g postgres /run/postgresql
if [ ! -s "$data/PG_VERSION" ]; then
    find "$data" -mindepth 1 -delete  # a first start that was cut short
    as_postgres "$bin/initdb" -D "$data" --auth-local=peer --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 >/dev/null
    as_postgres "$bin/postgres" --single -D "$data" postgres >/dev/null <<SQL
CREATE ROLE "$DB_USER" LOGIN PASSWORD '${DB_PASSWORD//\'/\'\'}';
CREATE DATABASE "$DB_NAME" OWNER "$DB_USER";
SQL
    as_postgres "$bin/postgres" --single -D "$data" "$DB_NAME" >/dev/null <<SQL
CREATE TABLE visits (id bigserial PRIMARY KEY, pod text NOT NULL, at timestamptz NOT NULL DEFAULT now());
ALTER TABLE visits OWNER TO "$DB_USER";
SQL
    echo "host all all all scram-sha-256" >> "$data/pg_hba.conf"
fi
settings=(-c "listen_addresses=*" -c "naru.pod_name=${POD_NAME:-$HOSTNAME}")
for file in /etc/db/*.conf; do
    [ -e "$file" ] || continue
    while IFS='=' read -r key value; do
        key=${key// /}; value=${value# }
        [ -z "$key" ] || [ "${key:0:1}" = "#" ] || settings+=(-c "$key=$value")
    done < "$file"
done
exec setpriv --reuid=postgres --regid=postgres --init-groups "$bin/postgres" -D "$data" "${settings[@]}"
