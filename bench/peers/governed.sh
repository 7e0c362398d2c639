# Edgeway with a virtual key that has leased limits and a leased budget, and a usage record of every request.
source peers/ungoverned.sh
peer_start() {
  cat >"$DIR/edgeway.toml" <<EOT
[server]
listen = "127.0.0.1:$PORT"
store = "file:$DIR/state"
[admin]
keys = ["ADMIN_KEY"]
[auth]
keys = ["BENCH_KEY"]
[providers.up]
base_url = "http://$UP/v1"
dialects = ["openai_chat"]
key = "UP_KEY"
EOT
  rm -rf "$DIR/state"
  export UP_KEY=sk-mock ADMIN_KEY=admin-bench BENCH_KEY=sk-bench
  "$EDGEWAY_BIN" --config "$DIR/edgeway.toml" tenants create bench >"$DIR/tenant"
  "$EDGEWAY_BIN" --config "$DIR/edgeway.toml" --json keys create --tenant bench --mode leased --limit requests=1000000000/day \
    --limit tokens=1000000000000/day --budget 1000000usd/month >"$DIR/key.json"
  exec "$EDGEWAY_BIN" serve --config "$DIR/edgeway.toml" >"$DIR/stdout"
}
peer_route() {
  URL=http://127.0.0.1:$PORT/v1/chat/completions MODEL=up/gpt-4o-mini
  HEADERS=("authorization: Bearer $(sed -n 's/.*"key": *"\([^"]*\)".*/\1/p' "$DIR/key.json" 2>/dev/null)")
  [ "$1" = chat ]
}
