#!/usr/bin/env bash
# Measures Mynah and, where it is installed, Kamailio side by side: the same generator, users,
# certificate and load, the servers in turn, so that what else the machine does meets both.
#
#   tuning/compare.sh [--rounds N] [--duration SPAN] [--bin DIR] [--keep DIR]
#
# Prints the CPU time of the server, user and system, for each operation, the best of the rounds, and
# how many times Mynah's it is. Everything is on loopback, at ports the kernel chose; what was started is
# stopped by its process id. Ends within five minutes with three rounds of five seconds. Exit code: 0;
# 1 when a run failed; 2 when it cannot begin.
set -euo pipefail

readonly USERS=200
readonly WATCHERS=20
readonly START_TRIES=100 # of 0.1 s, for a server to answer

rounds=3
duration=5s
bin=${CARGO_TARGET_DIR:-target}/release
keep=
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() { echo "tuning/compare.sh: $1" >&2 && exit 2; }

while (($#)); do
    case $1 in
    --rounds | --duration | --bin | --keep)
        (($# > 1)) || fail "$1 needs a value"
        printf -v "${1#--}" %s "$2"
        shift 2
        ;;
    *) fail "usage: tuning/compare.sh [--rounds N] [--duration SPAN] [--bin DIR] [--keep DIR]" ;;
    esac
done
[[ $rounds =~ ^[1-9][0-9]?$ ]] || fail "--rounds $rounds is no number from 1 to 99"
[[ -x $bin/mynah && -x $bin/loadgen ]] ||
    fail "no mynah or loadgen in $bin: cargo build --release --workspace, or name the folder with --bin"

work=$(mktemp -d)
mynah_pid=
kamailio_pid=
# Called by the trap.
# shellcheck disable=SC2317
stop() {
    local pid
    for pid in $mynah_pid $kamailio_pid; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT TERM

# Waits until a command succeeds while a process lives.
await() {
    local pid=$1 try
    shift
    for ((try = 0; try < START_TRIES; try++)); do
        kill -0 "$pid" 2>/dev/null || return 1
        "$@" && return 0
        sleep 0.1
    done
    return 1
}
# Called by await.
# shellcheck disable=SC2317
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

start_mynah() {
    "$bin/loadgen" users --count "$USERS" --password secret >"$work/users.csv"
    "$bin/mynah" user import "$work/users.csv" --data "$work/data" >/dev/null
    "$bin/mynah" demo --data "$work/data" --cores 1 --tls 127.0.0.1:0 --tcp none --http none \
        --ready-file "$work/ready.json" >"$work/mynah.log" 2>&1 &
    mynah_pid=$!
    await "$mynah_pid" test -s "$work/ready.json" || fail "Mynah does not start: $(tail -n 1 "$work/mynah.log")"
    mynah_port=$(sed -E 's/.*"tls":"127\.0\.0\.1:([0-9]+)".*/\1/' "$work/ready.json")
}

# Kamailio takes no port from the kernel: one that was free a moment ago is tried, three times.
start_kamailio() {
    local modules try options=(-m 512 -M 64)
    modules=$(dirname "$(find /usr/lib -path '*/kamailio/modules/tls.so' 2>/dev/null | head -n 1)")
    if [[ -e $modules/presence.so && -d /usr/share/kamailio/dbtext/kamailio ]]; then
        options+=(-A WITH_PRESENCE)
        cp -r /usr/share/kamailio/dbtext/kamailio "$work/tables"
        presence=yes
    fi
    cp "$work/data/cert.pem" "$work/data/key.pem" "$work"
    for try in 1 2 3; do
        kamailio_port=$(perl -MIO::Socket::INET -e \
            'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport')
        sed -e "s|@DIR@|$work|g" -e "s|@PORT@|$kamailio_port|g" -e "s|@MODULES@|$modules/|" \
            "$here/kamailio.cfg" >"$work/kamailio.cfg"
        kamailio -DD -E "${options[@]}" -f "$work/kamailio.cfg" -Y "$work" -P "$work/kamailio.pid" \
            >"$work/kamailio.log" 2>&1 &
        kamailio_pid=$!
        await "$kamailio_pid" answers "$kamailio_port" && return
        kill "$kamailio_pid" 2>/dev/null || true
        wait "$kamailio_pid" 2>/dev/null || true
        kamailio_pid=
    done
    echo "Kamailio does not start (try $try): $(grep -m 1 -E 'ERROR|CRITICAL' "$work/kamailio.log" || tail -n 1 "$work/kamailio.log")" >&2
    return 1
}

# name of the load | arguments of loadgen
loads=(
    "MESSAGE + 200 relayed, 1 in flight a pair|im --window 1 --users $USERS"
    "MESSAGE + 200 relayed, 8 in flight a pair|im --window 8 --users $USERS"
    "new connection, REGISTER with authentication|register --window 8 --users $USERS"
    "REGISTER refresh|register --refresh --window 64 --users $USERS"
    "NOTIFY + 200, $WATCHERS watchers, 8 states in flight|presence --watchers $WATCHERS --window 8 --users $USERS"
)

declare -A best
failed=0
# Runs a load against a server; keeps the least CPU time of an operation, in microseconds.
measure() {
    local server=$1 port=$2 pid=$3 load=$4 name line arguments out cost status=passed
    IFS='|' read -r name line <<<"$load"
    read -ra arguments <<<"$line"
    out=$work/$server.txt
    "$bin/loadgen" "${arguments[@]}" --target "127.0.0.1:$port" --dialect simple --tls-version 1.3 \
        --pid "$pid" --duration "$duration" --warmup 1s --quiet >"$out" 2>&1 || status=FAILED
    cost=$(sed -nE 's/^server: .* cores; ([0-9.]+) us a .*/\1/p' "$out" | head -n 1)
    if [[ $status == FAILED || -z $cost ]]; then
        failed=1
        echo "$server failed at: $name" >&2
        grep -E '^(failures|warning|loadgen:)' "$out" >&2 || true
    fi
    [[ $keep ]] && mkdir -p "$keep" && cp "$out" "$keep/$server-$round-${name//[^A-Za-z0-9]/_}.txt"
    [[ $cost ]] || return 0
    printf '  round %s  %-9s %8s us  %s\n' "$round" "$server" "$cost" "$name"
    best[$server,$name]=$(printf '%s\n%s\n' "$cost" "${best[$server,$name]:-$cost}" | sort -n | head -n 1)
}

presence=
start_mynah
kamailio=
if ! command -v kamailio >/dev/null || [[ -z $(find /usr/lib -path '*/kamailio/modules/tls.so' 2>/dev/null) ]]; then
    echo "Kamailio is not installed (packages kamailio, kamailio-tls-modules): Mynah alone"
elif start_kamailio; then
    kamailio=$(kamailio -v | sed -nE 's/^version: kamailio ([^ ]+).*/\1/p')
    [[ $presence ]] || echo "Kamailio without presence (package kamailio-presence-modules)"
else
    exit 2
fi
echo "$(uname -sr), $(nproc) CPUs; $("$bin/mynah" --version), --cores 1${kamailio:+; Kamailio $kamailio, 1 worker}"

for ((round = 1; round <= rounds; round++)); do
    for load in "${loads[@]}"; do
        measure mynah "$mynah_port" "$mynah_pid" "$load"
        [[ $kamailio ]] || continue
        [[ $load != *NOTIFY* || $presence ]] || continue
        measure kamailio "$kamailio_port" "$kamailio_pid" "$load"
    done
done

echo
printf '%-50s %10s %10s %8s\n' "server CPU, best of $rounds rounds" Mynah Kamailio ratio
for load in "${loads[@]}"; do
    name=${load%%|*}
    ours=${best[mynah,$name]:-}
    theirs=${best[kamailio,$name]:-}
    ratio=$(awk -v ours="${ours:-0}" -v theirs="${theirs:-0}" \
        'BEGIN { if (ours > 0 && theirs > 0) printf "%.1f", theirs / ours; else printf "-" }')
    printf '%-50s %10s %10s %8s\n' "$name" "${ours:+$ours us}" "${theirs:+$theirs us}" "$ratio"
done
exit "$failed"
