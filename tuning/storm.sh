#!/bin/bash
# Has users come back all at once to a server of one core, while two talk, and prints how long those who
# were let in took to sign in, and how long the two waited for a message before, meanwhile and after.
# Server and generators are on loopback, with ports of the kernel's choice.
#
#   cargo build --release --workspace
#   tuning/storm.sh [--users 10000] [--rate 2000] [--limits "sign_ins_per_second_max = 0"]
#
# --rate is how many come a second. --limits are lines of [limits], beside those of the defaults.
set -euo pipefail

users=10000; rate=2000; limits=
while [ $# -gt 0 ]; do
    case $1 in
        --users|--rate|--limits)
            [ $# -ge 2 ] || { echo "storm.sh: $1 needs a value" >&2; exit 2; }
            printf -v "${1#--}" %s "$2"; shift 2 ;;
        *) echo "storm.sh: unknown option $1" >&2; exit 2 ;;
    esac
done
bin=${BIN:-$(dirname "$0")/../target/release}
if ! [ -x "$bin/mynah" ] || ! [ -x "$bin/loadgen" ]; then
    echo "storm.sh: no programs in $bin: cargo build --release --workspace" >&2
    exit 2
fi

readonly quiet=10 # seconds before and after
storm=$(((users + rate - 1) / rate))
longest=$((storm + users / 500)) # until all have been served
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
mkdir -m 700 "$work/data"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=fe01.example.test \
    -addext "subjectAltName=DNS:fe01.example.test,DNS:example.test,IP:127.0.0.1" \
    -keyout "$work/key.pem" -out "$work/cert.pem" 2> "$work/openssl.log"
cat > "$work/mynah.toml" <<TOML
[server]
data = "data"
cores = 1
[listen]
tls = "127.0.0.1:0"
http = "127.0.0.1:0"
exempt = ["127.0.0.0/8"]
[tls]
certificates = [{ chain = "cert.pem", key = "key.pem" }]
[auth]
lync = ["ntlm", "digest"]
[limits]
$limits
TOML
{
    "$bin/loadgen" users --count "$users" --password secret
    "$bin/loadgen" users --count 2 --password secret --user-prefix pair | tail -n +2
} | "$bin/mynah" user import - --data "$work/data" > /dev/null
"$bin/mynah" serve --config "$work/mynah.toml" --ready-file "$work/ready" > "$work/server.log" 2>&1 &
server=$!
for _ in $(seq 300); do [ -s "$work/ready" ] && break; sleep 0.1; done
[ -s "$work/ready" ] || { cat "$work/server.log" >&2; exit 2; }
field() { grep -o "\"$1\":\"[^\"]*\"" "$work/ready" | cut -d'"' -f4; }

"$bin/loadgen" im --target "$(field tls)" --users 2 --user-prefix pair --rate 100 --warmup 2s \
    --duration $((quiet + longest + quiet))s --quiet --csv "$work/pair.csv" > "$work/pair.txt" &
pair=$!
sleep $((quiet + 2))
began=$SECONDS
"$bin/loadgen" register --target "$(field tls)" --users "$users" --rate "$rate" --warmup 0s \
    --duration "${storm}s" --handshakes 4000 --quiet --json "$work/storm.json" > "$work/storm.txt" || true
took=$((SECONDS - began + 1))
wait "$pair" || true
curl -s "http://$(field http)/metrics" | grep -E "^mynah_(limit_hits_total.*(handshakes|sign_ins).* [1-9]|tls_handshakes_total)" || true

sed -n '/^operation/p;/^connect /p;/^sign_in /p;/^failures/,/^$/p' "$work/storm.txt"
awk -F, -v quiet=$quiet -v storm="$took" '
    $2 == "message" {
        part = $1 < quiet ? "before" : $1 < quiet + storm ? "storm" : "after"
        count[part]++; p50[part] += $5; p99[part] += $7
        if ($7 > worst[part]) worst[part] = $7
    }
    END {
        print "messages of the pair, in ms: mean of the seconds p50 and p99, worst p99 of a second"
        split("before storm after", parts, " ")
        for (i = 1; i <= 3; i++) if (count[parts[i]])
            printf "%-7s %8.2f %8.2f %8.2f\n", parts[i], p50[parts[i]] / count[parts[i]],
                p99[parts[i]] / count[parts[i]], worst[parts[i]]
    }' "$work/pair.csv"
