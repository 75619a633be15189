#!/usr/bin/env bash
# Shows that the oracle sees: a server that is broken on order must fail a scenario by the rule that names the fault, and
# one that is not must fail by none. A debug build, because a release build refuses the feature.
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-target}"
cargo build --locked -p tidegate --features broken --target-dir "$target/broken"
cargo build --locked -p loadtest --bins
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Short of its rate a number shows nothing: here two of them have work for five seconds at 30 a second.
cat >"$folder/rate.toml" <<'SCENARIO'
name = "rate"
about = "Two numbers with a broadcast that takes them some seconds at their full rate."
seconds = 7
drain_s = 20
[workspace]
numbers = 2
rate_per_second = 30
[[broadcasts]]
at_s = 1
numbers = 2
recipients = 300
SCENARIO

# Leaves the report in report.json, and what was said besides in said.txt.
run() {
    "$target/debug/loadtest" run "$1" --rules-alone --json --server "$target/broken/debug/tidegate" \
        --out "$folder/reports" >"$folder/report.json" 2>"$folder/said.txt" || true
}
verdict() { grep -o '"verdict": "[a-z]*"' "$folder/report.json" | head -n 1 | cut -d '"' -f 4 || true; }
failed=0
crashed() {
    printf 'NO REPORT %-24s the run ended without one:\n' "$1"
    tail -n 5 "$folder/said.txt"
    failed=1
}
try() {
    local order="$1" rule="$2" scenario="${3:-smoke}" broke
    TIDEGATE_BROKEN="$order" run "$scenario"
    if [[ -z "$(verdict)" ]]; then
        crashed "$order"
        return
    fi
    broke=$(grep -o 'The rule `[a-z_]*` was broken' "$folder/report.json" | cut -d '`' -f 2 | sort -u | tr '\n' ' ' || true)
    if [[ " $broke" == *" $rule "* ]]; then
        printf 'seen      %-24s %s\n' "$order" "$broke"
    else
        printf 'NOT SEEN  %-24s broke: %s\n' "$order" "${broke:-nothing}"
        failed=1
    fi
}
sound() {
    run "$1"
    case "$(verdict)" in
    passed | invalid) printf 'sound     %s\n' "$1" ;;
    '') crashed "$1" ;;
    *)
        printf 'FALSE ALARM: a server that is not broken failed %s:\n' "$1"
        grep -o 'The rule `[a-z_]*` was broken[^"]*' "$folder/report.json" | sort -u || true
        failed=1
        ;;
    esac
}
try drop_message:50 lost
try send_twice:40 broadcast_sent_twice
try skip_seq:500 socket_gap
try leak_conversation:20 leaked
try miscount_receipt:40 recipient_differs
try above_rate:2 above_rate "$folder/rate.toml"
sound smoke
sound "$folder/rate.toml"
exit $failed
