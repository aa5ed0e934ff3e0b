#!/bin/sh
# Install Debian's Slurm and munge, which the tests start and stop themselves; their services are not used.
set -eu
for daemon in munged slurmctld slurmd; do
    command -v $daemon >/dev/null || missing=1
done
if [ -n "${missing:-}" ]; then
    [ "$(id -u)" = 0 ] || sudo="sudo --non-interactive"
    export DEBIAN_FRONTEND=noninteractive
    ${sudo:-} apt-get update -qq
    ${sudo:-} apt-get install -qq --yes --no-install-recommends slurm-wlm munge
fi
