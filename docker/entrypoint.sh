#!/bin/sh
# Starts a command with secrets from files: NAME_FILE gives NAME. Files are what Docker and Kubernetes mount; the variables
# are what libpq and MLflow read. Nothing is printed of either.
set -eu
for name in PGPASSWORD MLFLOW_TRACKING_PASSWORD; do
    eval "file=\${${name}_FILE:-}"
    if [ -n "$file" ]; then
        if [ ! -r "$file" ]; then
            echo "entrypoint: ${name}_FILE names $file, which this user ($(id -u)) cannot read" >&2
            exit 2
        fi
        value="$(cat "$file")"
        export "$name=$value"
        unset "${name}_FILE"
    fi
done
unset value file name
exec "$@"
