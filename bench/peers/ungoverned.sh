# Edgeway without keys, limits, budgets and usage records: what `governed` is held against.
EDGEWAY_BIN=${EDGEWAY_BIN:-$PWD/../target/release/edgeway}
peer_install() { [ -x "$EDGEWAY_BIN" ] || (cd .. && cargo build --release); }
peer_version() { "$EDGEWAY_BIN" --version; }
peer_size() { du -h "$EDGEWAY_BIN" | cut -f1; }
peer_start() {
  cat >"$DIR/edgeway.toml" <<EOT
[server]
listen = "127.0.0.1:$PORT"
store = "file:$DIR/state"
[usage]
store = false
[providers.up]
base_url = "http://$UP/v1"
dialects = ["openai_chat"]
key = "UP_KEY"
EOT
  rm -rf "$DIR/state"
  export UP_KEY=sk-mock
  exec "$EDGEWAY_BIN" serve --config "$DIR/edgeway.toml" >"$DIR/stdout"
}
peer_route() {
  URL=http://127.0.0.1:$PORT/v1/chat/completions HEADERS=() MODEL=up/gpt-4o-mini
  [ "$1" = chat ]
}
