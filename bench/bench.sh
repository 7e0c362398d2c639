#!/usr/bin/env bash
# Measures gateways against a baseline, interleaved run by run.
#
#   ./bench.sh [-r ROUNDS] [-s "SCENARIO ..."] [-o OUT.jsonl] BASELINE PEER...
#
# BASELINE and PEER are names in peers/ (edgeway direct nginx haproxy portkey litellm tensorzero
# custom). Every scenario runs in turn for each of them, ROUNDS times over, so that a slow
# minute of the machine hits them alike. The gateway has core GW_CPU, the mock upstream and
# the load generator share LOAD_CPU. NICE=-15 keeps a busy machine's other work out of the
# way, for all of them alike (root only); RT=1 does so more strictly, for scenarios that do
# not fill a core (open, paced, hold). Everything stays on loopback.
set -euo pipefail
cd "$(dirname "$0")"
if [ -n "${NICE:-}" ]; then # in a process session of its own (setsid): with autogrouping a nice value alone does nothing
  [ -n "${GWBENCH_SESSION:-}" ] || GWBENCH_SESSION=1 exec setsid -w "$PWD/${0##*/}" "$@"
  [ ! -w /proc/$$/autogroup ] || echo "$NICE" >/proc/$$/autogroup
fi
HERE=$PWD
ROUNDS=3 OUT='' SCEN='chat open sse paced anth anth-sse anth-paced fallback big1m big10m churn'
while getopts r:s:o: o; do
  case $o in r) ROUNDS=$OPTARG ;; s) SCEN=$OPTARG ;; o) OUT=$OPTARG ;; *) exit 2 ;; esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || { sed -n '2,12p' "$0"; exit 2; }
BASE=$1
RUN=${RUN_DIR:-$HERE/run}
export GW_CPU=${GW_CPU:-0} LOAD_CPU=${LOAD_CPU:-1}
export UP=127.0.0.1:${UP_PORT:-9100} UP_FLAKY=127.0.0.1:${UP_FLAKY_PORT:-9101}
mkdir -p "$RUN"
OUT=${OUT:-$RUN/$(date +%H%M%S).jsonl}
ulimit -n "$(ulimit -Hn)"

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HERE/target}
B=$CARGO_TARGET_DIR/release/gwbench
[ -x "$B" ] || nice cargo build --release --manifest-path "$HERE/Cargo.toml"
[ -z "${NICE:-}" ] || "$B" prio --pid=$$ --nice="$NICE" --slice-us=100
[ -z "${RT:-}" ] || chrt -r -p 1 $$

declare -A PID DIRS PORTS
PIDS=()
stop() { # this script's own processes only, by pid, children first
  local p
  for p in "${PIDS[@]}"; do kill $(pgrep -P "$p" || true) "$p" 2>/dev/null || true; done
}
trap stop EXIT

taskset -c "$LOAD_CPU" "$B" mock --listen "$UP" & MOCK=$! PIDS+=($!)
taskset -c "$LOAD_CPU" "$B" mock --listen "$UP_FLAKY" --err 0.5 --status 500 & PIDS+=($!)
for _ in $(seq 100); do curl -sf -o /dev/null "http://$UP/__stats" && break; sleep 0.05; done

# with NAME CMD...: runs CMD with that peer's file sourced and its directories set
with() {
  export PORT=${PORTS[$1]} DIR=${DIRS[$1]} HOME_DIR=${PEER_HOME:-$RUN/peers}/${1%%@*}
  source "peers/${1%%@*}.sh"
  shift
  "$@"
}
ask() { # one plain request on a route; prints the answer
  local a=() h
  peer_route "$1" || return 1
  for h in "${HEADERS[@]}"; do a+=(-H "$h"); done
  curl -s --max-time 20 "${a[@]}" -H 'content-type: application/json' "$URL" \
    -d "{\"model\":\"$MODEL\",\"max_tokens\":256,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]${2:-}}"
}

port=9200
for g in "$@"; do
  port=$((port + 1)) PORTS[$g]=$port DIRS[$g]=$RUN/$g
  mkdir -p "$RUN/$g" && rm -f "$RUN/$g/url"
  (with "$g" peer_install) >"$RUN/$g/install.log" 2>&1
  t0=$(date +%s%N)
  (with "$g" true; exec 2>"$RUN/$g/log" >&2; exec taskset -c "$GW_CPU" bash -c 'source "$0"; peer_start' "$HERE/peers/${g%%@*}.sh") &
  PID[$g]=$! PIDS+=($!)
  up=no
  for _ in $(seq 6000); do
    if (with "$g" ask chat) 2>/dev/null | grep -q mock-ok; then up=yes; break; fi
    sleep 0.01
  done
  ms=$((($(date +%s%N) - t0) / 1000000))
  [ $up = yes ] || { echo "$g: no good answer within the time; log:"; tail -5 "$RUN/$g/log"; exit 1; }
  sleep 2
  # Sanity: the right text through every route, plain and streamed, before anything counts.
  for r in chat anthropic fallback; do
    (with "$g" peer_route $r) || continue
    plain=no streamed=no
    (with "$g" ask $r) | grep -q '"content": *"mock-ok lorem' && plain=ok
    n=$( (with "$g" ask $r ',"stream":true') | grep -c '"content": *"@[0-9]' || true)
    [ "$n" = 100 ] && streamed=ok
    echo "check $g/$r: plain=$plain streamed=$streamed ($n chunks)"
  done
  rss=$(cat "/proc/${PID[$g]}/status" $(for k in $(pgrep -P "${PID[$g]}"); do echo "/proc/$k/status"; done) | awk '/^VmRSS/{s+=$2}END{printf "%.1f", s/1024}')
  echo "{\"gw\":\"$g\",\"scenario\":\"start\",\"version\":\"$( (with "$g" peer_version) | tr -d '"' | head -1)\",\"startup_ms\":$ms,\"rss_idle_mib\":$rss,\"install\":\"$( (with "$g" peer_size) )\"}" | tee -a "$OUT"
done

# scenario NAME -> mock settings, route, load arguments
scenario() {
  SET='' ROUTE=chat LOAD=''
  local T=${SECS:-5} W=${WARM:-2}
  case $1 in
    chat) LOAD="closed --conns 32 --secs $T --warm $W" ;;
    open) LOAD="open --rate ${RATE:-200} --conns 64 --secs $T --warm $W" ;;
    open50) LOAD="open --rate 50 --conns 64 --secs $T --warm $W" ;;
    sse) SET='chunks=100&flush=1' LOAD="sse --stream --conns 16 --secs $T --warm $W" ;;
    paced) SET='chunks=100&gap=20' LOAD="sse --stream --conns 40 --warm 2 --secs $((T + 1))" ;;
    paced5) SET='chunks=100&gap=20' LOAD="sse --stream --conns 5 --warm 2 --secs $((T + 1))" ;;
    anth) ROUTE=anthropic LOAD="closed --conns 32 --secs $T --warm $W" ;;
    anth-open) ROUTE=anthropic LOAD="open --rate ${RATE:-200} --conns 64 --secs $T --warm $W" ;;
    anth-sse) ROUTE=anthropic SET='chunks=100&flush=1' LOAD="sse --stream --conns 16 --secs $T --warm $W" ;;
    anth-paced) ROUTE=anthropic SET='chunks=100&gap=20' LOAD="sse --stream --conns 40 --warm 2 --secs $((T + 1))" ;;
    fallback) ROUTE=fallback LOAD="closed --conns 32 --secs $T --warm $W" ;;
    big1m) LOAD="closed --conns 4 --body text:1000000 --secs $T --warm $W" ;;
    big10m) LOAD="closed --conns 2 --body image:10000000 --secs $T --warm $W" ;;
    churn) LOAD="churn --conns 16 --secs $T --warm $W" ;;
    hold*k) # each stream takes two descriptors of the gateway: mind ulimit -Hn
      local n=${1#hold}
      SET='chunks=60&gap=1000' LOAD="hold --stream --conns ${n%k}000 --warm $((2 + ${n%k} * 8 / 10)) --secs $((T + 1))" ;;
    *) echo "no scenario $1" >&2; exit 2 ;;
  esac
}

for s in $SCEN; do
  scenario "$s"
  for r in $(seq "$ROUNDS"); do
    for g in "$@"; do
      (
        with "$g" peer_route $ROUTE || exit 0
        a=()
        for h in "${HEADERS[@]}"; do a+=(--header "$h"); done
        [ "${g%%@*}" = direct ] || a+=(--pid "${PID[$g]}")
        curl -s "http://$UP/__set?$SET" >/dev/null
        curl -s "http://$UP/__reset" >/dev/null
        line=$(taskset -c "$LOAD_CPU" "$B" load $LOAD --gw "$g" --name "$s" --url "$URL" --model "$MODEL" "${a[@]}")
        echo "${line%\}},\"upstream_requests\":$(curl -s "http://$UP/__stats" | sed 's/.*"requests":\([0-9]*\).*/\1/')}" | tee -a "$OUT" |
          sed -E 's/.*"gw":"([^"]*)","scenario":"([^"]*)".*"ok":([0-9]+),"bad":([0-9]+),"io_err":([0-9]+),"rps":([0-9.]+).*/\1 \2 ok=\3 bad=\4 io_err=\5 rps=\6/' >&2
      )
      sleep 0.3
    done
  done
done
"$B" report "$OUT" --baseline "$BASE"
