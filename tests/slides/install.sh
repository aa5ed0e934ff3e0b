#!/usr/bin/env bash
# What tests/slides/test_rendering.py shows decks with, from Debian's packages. Needs root.
set -euo pipefail
packages=(libreoffice-impress poppler-utils fonts-dejavu-core fonts-liberation fonts-noto-cjk)
if dpkg -s "${packages[@]}" >/dev/null 2>&1; then exit 0; fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
