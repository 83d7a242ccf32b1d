#!/bin/bash
# Measures a profile at three sizes and a fourth that is predicted from them, and prints the plan for
# a population. Every run has a server of its own, on loopback, with ports of the kernel's choice.
#
#   cargo build --release --workspace
#   tuning/sizing.sh --out DIR [--users 80000] [--profile lync2013] [--sizes "500 1000 2000"]
#                    [--check 1500] [--scale 10] [--duration 60s] [--cores 1]
#
# Exit code: that of loadgen plan, 1 when the fourth run is predicted worse than within 15 %.
set -euo pipefail

out=; users=80000; profile=lync2013; sizes="500 1000 2000"; check=1500; scale=10; duration=60s; cores=1
while [ $# -gt 0 ]; do
    case $1 in
        --out|--users|--profile|--sizes|--check|--scale|--duration|--cores)
            [ $# -ge 2 ] || { echo "sizing.sh: $1 needs a value" >&2; exit 2; }
            printf -v "${1#--}" %s "$2"; shift 2 ;;
        *) echo "sizing.sh: unknown option $1" >&2; exit 2 ;;
    esac
done
[ -n "$out" ] || { echo "sizing.sh: give --out DIR for the reports" >&2; exit 2; }
mkdir -p "$out"
bin=${BIN:-$(dirname "$0")/../target/release}
[ -x "$bin/mynah" ] && [ -x "$bin/loadgen" ] || {
    echo "sizing.sh: no programs in $bin: cargo build --release --workspace" >&2; exit 2; }

folder=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }
    server=
}
trap 'finish; rm -rf "$folder"' EXIT

field() { grep -o "\"$1\":\"[^\"]*\"" "$folder/ready.json" | cut -d'"' -f4; }

run() {
    local size=$1
    rm -rf "$folder/data" "$folder/ready.json"
    mkdir -m 700 "$folder/data"
    "$bin/mynah" demo --data "$folder/data" --tls 127.0.0.1:0 --tcp none --http 127.0.0.1:0 \
        --cores "$cores" --ready-file "$folder/ready.json" > "$folder/server.log" 2>&1 &
    server=$!
    for _ in $(seq 300); do [ -s "$folder/ready.json" ] && break; sleep 0.1; done
    [ -s "$folder/ready.json" ] || { cat "$folder/server.log" >&2; exit 2; }
    "$bin/loadgen" users --count "$size" --password secret |
        "$bin/mynah" user import - --data "$folder/data" > /dev/null
    sleep 3 # a running server takes changes of users within two seconds
    # A run that misses a mark is still a report: the plan says so.
    "$bin/loadgen" run --profile "$profile" --users "$size" --scale "$scale" --ramp 100 \
        --warmup 10s --duration "$duration" --target "$(field tls)" --pid "$server" \
        --metrics "http://$(field http)/metrics" --quiet \
        --json "$out/$profile-$size.json" --html "$out/$profile-$size.html" || true
    finish
}

reports=()
for size in $sizes; do
    run "$size"
    reports+=("$out/$profile-$size.json")
done
run "$check"
"$bin/loadgen" plan --users "$users" --profile "$profile" --from "${reports[@]}" \
    --check "$out/$profile-$check.json" --json "$out/plan.json" --html "$out/plan.html"
