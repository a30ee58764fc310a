#!/usr/bin/env bash
# The tests with Spark need Java 17: install it where that is possible, else say what to do.
set -euo pipefail
if command -v java >/dev/null; then
    exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "java is missing: install Java 17 (Debian: apt-get install openjdk-17-jre-headless)." >&2
    exit 1
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends openjdk-17-jre-headless
