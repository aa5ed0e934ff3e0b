#!/usr/bin/env bash
# The pictures of the README, in docs/pictures: the demo is run in a terminal of tmux, which is drawn while it works and
# at its end, and one of the demo's figures is kept in small. Needs tmux.
set -euo pipefail
cd "$(dirname "$0")/.."
root=results/pictures
out=docs/pictures
command -v tmux >/dev/null || { echo "tmux is missing. Install it (apt install tmux) and try again."; exit 2; }
mkdir -p "$out"
kept=$(mktemp -d)
session="bakeoff-pictures-$$"
trap 'tmux kill-session -t "$session" 2>/dev/null || true; rm -rf "$kept"' EXIT

rm -rf "$root"  # of the last pictures
run="snakemake all --profile profiles/cpu --configfile config/demo.yaml --config results_root=$root"
tmux new-session -d -s "$session" -x 100 -y 60 "$run; echo \$? > $kept/code; sleep 600"
while [ ! -e "$kept/code" ]; do
    sleep 3
    tmux capture-pane -e -p -t "$session" > "$kept/now"
    # The live table in the middle of the work.
    if grep -qE '(4|5|6)[0-9] %.* left' "$kept/now"; then cp "$kept/now" "$kept/live"; fi
done
[ "$(cat "$kept/code")" = 0 ] || { tmux capture-pane -p -t "$session"; exit 1; }
sleep 2
tmux capture-pane -e -p -S -60 -t "$session" > "$kept/end"

# From the first line of the study on; what Snakemake says before it is not ours.
python tools/terminal_picture.py "$out/live.svg" "snakemake all" < <(sed -n '/Run .*Seed/,$p' "$kept/live")
python tools/terminal_picture.py "$out/end.svg" "snakemake all" < <(sed -n '/Test top-1/,$p' "$kept/end")
python - "$root/figures" "$out" <<'PYTHON'
import sys
from pathlib import Path

from PIL import Image

figures, out = map(Path, sys.argv[1:])
with Image.open(figures / "accuracy_bars.png") as picture:
    picture.thumbnail((1000, 1000))
    picture.convert("P", palette=Image.Palette.ADAPTIVE).save(out / "accuracy.png", optimize=True)
PYTHON
ls -l "$out"
