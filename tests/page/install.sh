#!/usr/bin/env bash
# What tests/page looks at pages with, from Debian's packages. Needs root.
set -euo pipefail
packages=(chromium chromium-driver fonts-dejavu-core fonts-noto-cjk)
if dpkg -s "${packages[@]}" >/dev/null 2>&1; then exit 0; fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
