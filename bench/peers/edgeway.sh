# Edgeway itself, from this repository: `cargo build --release` first, or name a binary in EDGEWAY_BIN.
EDGEWAY_BIN=${EDGEWAY_BIN:-$PWD/../target/release/edgeway}
peer_install() { [ -x "$EDGEWAY_BIN" ] || (cd .. && cargo build --release); }
peer_version() { "$EDGEWAY_BIN" --version; }
peer_size() { du -h "$EDGEWAY_BIN" | cut -f1; }
peer_start() {
  cat >"$DIR/edgeway.toml" <<EOT
[server]
listen = "127.0.0.1:$PORT"
[auth]
keys = ["BENCH_KEY"]
[providers.up]
base_url = "http://$UP/v1"
dialects = ["openai_chat"]
key = "UP_KEY"
[providers.up-anthropic]
base_url = "http://$UP/v1"
dialects = ["anthropic_messages"]
key = "UP_KEY"
[providers.up-flaky]
base_url = "http://$UP_FLAKY/v1"
dialects = ["openai_chat"]
key = "UP_KEY"
[routes.fallback]
models = ["flaky"]
targets = ["up-flaky/gpt-4o-mini", "up/gpt-4o-mini"]
EOT
  export BENCH_KEY=sk-bench UP_KEY=sk-mock
  exec "$EDGEWAY_BIN" serve --config "$DIR/edgeway.toml" >"$DIR/stdout"
}
peer_route() {
  URL=http://127.0.0.1:$PORT/v1/chat/completions HEADERS=("authorization: Bearer sk-bench")
  case $1 in
    chat) MODEL=up/gpt-4o-mini ;;
    anthropic) MODEL=up-anthropic/claude-sonnet-4-5 ;;
    fallback) MODEL=flaky ;;
    *) return 1 ;;
  esac
}
