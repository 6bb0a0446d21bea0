#!/bin/sh
# Makes what docker/compose.yaml wants in docker/secrets, and nothing anew that is there. The certificate is for a trial: put
# your own in its place. Keep a copy of master_key where the machine's backup is not: without it the vault cannot be read.
set -eu
umask 077
folder="${PRECEPTOR_SECRETS:-$(dirname "$0")/secrets}"
mkdir -p "$folder"
make() {
    if [ ! -s "$folder/$1" ]; then
        file="$folder/$1"
        shift
        "$@" > "$file"
    fi
}
make master_key openssl rand -base64 32
for name in owner dagster mlflow; do
    make "postgres_$name" openssl rand -hex 24
done
if [ ! -s "$folder/tls_key" ] || [ ! -s "$folder/tls_certificate" ]; then
    openssl req -x509 -newkey rsa:3072 -nodes -days 90 -subj /CN=localhost \
        -addext "subjectAltName=DNS:localhost,DNS:review,IP:127.0.0.1" \
        -keyout "$folder/tls_key" -out "$folder/tls_certificate" 2>/dev/null
fi
if [ ! -s "$folder/proxy_users" ]; then
    password="$(openssl rand -hex 12)"
    hash="$(printf '%s\n' "$password" | docker run --rm -i "${CADDY_IMAGE:-caddy:2}" caddy hash-password)"
    echo "operator $hash" > "$folder/proxy_users"
    echo "Sign in at Dagster and MLflow as operator, password $password (shown this once)." >&2
fi
# User and group of the containers; PostgreSQL's has the group, too.
chmod 0750 "$folder"
chmod 0440 "$folder"/*
chown -R 10001:10001 "$folder" || echo "Run this as root, or: sudo chown -R 10001:10001 $folder" >&2
