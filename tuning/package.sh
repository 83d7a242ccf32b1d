#!/usr/bin/env bash
# Builds the Debian package of the server and the load generator.
#
#   tuning/package.sh [--parts] [OPTION OF CARGO DEB]...
#
# With --parts only what is made besides the programs: the manual, completions of shells and the list
# of crates, into target/release/package, by programs of a debug build. What the package holds stands
# in Cargo.toml, [package.metadata.deb]. Needs cargo-deb: `cargo +stable install cargo-deb --locked`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=${CARGO_TARGET_DIR:-target}
parts=$target/release/package
profile=release
if [[ ${1:-} == --parts ]]; then
    profile=debug
    cargo build --workspace --locked
else
    cargo build --release --workspace --locked
fi

rm -rf "$parts"
mkdir -p "$parts"/{man,bash,zsh,fish}
for program in mynah loadgen; do
    "$target/$profile/$program" manual "$parts/man"
    "$target/$profile/$program" completions bash >"$parts/bash/$program"
    "$target/$profile/$program" completions zsh >"$parts/zsh/_$program"
    "$target/$profile/$program" completions fish >"$parts/fish/$program.fish"
done
gzip --best --no-name "$parts"/man/*.1
# What is linked into them, each with its licence.
cargo tree --workspace --edges normal --prefix none --no-dedupe --locked --format '{p}: {l}' |
    sed -E 's/ \((\*|proc-macro|\/.*)\)//g' | grep -vE '^(mynah |loadgen |$)' | sort -u >"$parts/crates.txt"

[[ $profile == release ]] || exit 0
exec cargo deb --no-build --dbgsym "$@"
