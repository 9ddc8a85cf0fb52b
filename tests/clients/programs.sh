# shellcheck shell=bash disable=SC2034
# Sourced by run.sh: how each agent program is set up and started, and what is tried with it. Settings stand in README.md; what stands here is only
# what a run without a terminal needs, and what keeps the programs from asking their vendors for news.

# env_of WORD... - the exports of these blocks of README.md as NAME=VALUE words, into SETTINGS.
env_of() {
    local word line
    SETTINGS=()
    for word in "$@"; do
        while read -r line; do
            line=${line#export }
            line=${line//\"/}
            SETTINGS+=("$line")
        done < <(settings "$word" | grep '^export ')
    done
}

# ---- Claude Code ----

claude_code() { # TURN [OPTION...]
    local turn=$1 more=()
    shift
    [ "$turn" = 1 ] || more=(--continue)
    env_of 'sh claude-code'
    COMMAND=(env "${SETTINGS[@]}" CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 "$(clients_program claude-code)" -p "$PROMPT" --allowedTools Bash "${more[@]}" "$@")
}

# Its first call is a HEAD then, and the key comes as x-api-key.
claude_code_by_root() {
    claude_code "$1"
    COMMAND=(env ANTHROPIC_BASE_URL="$STACK_URL" ANTHROPIC_API_KEY="$KEY" "${COMMAND[@]:$((1 + ${#SETTINGS[@]} + 1))}")
}

test_claude_code() {
    fresh && task "Claude Code" anthropic claude_code
    fresh && task "Claude Code, claude-sonnet-4-6" anthropic claude_code --model claude-sonnet-4-6
    fresh && task "Claude Code, gpt-5" anthropic claude_code --model gpt-5
    fresh && task "Claude Code, gemini-2.5-pro" anthropic claude_code --model gemini-2.5-pro
    [ "$PROVIDER" = anthropic ] || return 0
    fresh && task "Claude Code, base without /v1, ANTHROPIC_API_KEY" anthropic claude_code_by_root
    KEY=sk-aip-wrong claude_code 1
    fresh && TURN_SECONDS=30 says "Claude Code, a wrong key is told at once" "401" "${COMMAND[@]}"
}

# ---- Codex ----

codex() { # TURN
    local resume=()
    [ "$1" = 1 ] || resume=(resume --last)
    env_of 'sh codex'
    COMMAND=(env "${SETTINGS[@]}" "$(clients_program codex)" exec --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox "${resume[@]}" "$PROMPT")
}

# codex_config SED - the block of README.md, changed.
codex_config() {
    mkdir -p "$WORK/home/.codex"
    settings 'toml codex' | sed -e "$1" >"$WORK/home/.codex/config.toml"
}

test_codex() {
    fresh && codex_config '' && task "Codex, gpt-5" openai-responses codex
    fresh && codex_config '/^model = /d' && task "Codex, its default model" openai-responses codex
    [ "$PROVIDER" = responses ] || return 0
    fresh && codex_login && task "Codex, openai_base_url and a login" openai-responses codex_without_key
}

# It tries a WebSocket first.
codex_login() {
    mkdir -p "$WORK/home/.codex"
    printf 'model = "gpt-5"\nopenai_base_url = "%s/v1"\n' "$STACK_URL" >"$WORK/home/.codex/config.toml"
    echo "$KEY" | (cd "$WORK/project" && env -i PATH="$PATH" HOME="$WORK/home" "$(clients_program codex)" login --with-api-key) >"$WORK/login" 2>&1
}
codex_without_key() {
    codex "$1"
    COMMAND=("${COMMAND[@]:$((1 + ${#SETTINGS[@]}))}")
}

# ---- Gemini CLI ----

gemini_cli() { # TURN [NAME=VALUE...]
    local turn=$1 resume=()
    shift
    [ "$turn" = 1 ] || resume=(--resume latest)
    env_of 'sh gemini-cli'
    COMMAND=(env "${SETTINGS[@]}" GEMINI_TELEMETRY_ENABLED=false "$@" "$(clients_program gemini-cli)" --skip-trust --yolo "${resume[@]}" -p "$PROMPT")
}

gemini_cli_config() {
    mkdir -p "$WORK/home/.gemini"
    settings 'json gemini-cli' | jq '. + {"privacy": {"usageStatisticsEnabled": false}}' >"$WORK/home/.gemini/settings.json"
}

# A session that it resumes holds each tool result twice, which other providers do not get to see and Gemini refuses: one turn only there.
test_gemini_cli() {
    local TURNS=$TURNS
    [ "$PROVIDER" != gemini ] || TURNS=1
    fresh && gemini_cli_config && task "Gemini CLI" gemini gemini_cli
    [ "$PROVIDER" = gemini ] || return 0
    fresh && gemini_cli_config && task "Gemini CLI, base with /v1" gemini gemini_cli GOOGLE_GEMINI_BASE_URL="$STACK_URL/v1"
    fresh && gemini_cli_config && task "Gemini CLI, its default model" gemini gemini_cli --unset=GEMINI_MODEL
    fresh && gemini_cli_config && task "Gemini CLI, bearer" gemini gemini_cli GEMINI_API_KEY_AUTH_MECHANISM=bearer
}

# ---- OpenClaw ----

openclaw() { COMMAND=("$(clients_program openclaw)" agent --local --agent main -m "$PROMPT"); }

# openclaw_onboard COMPATIBILITY MODEL - the command of README.md, for a machine without a user.
openclaw_onboard() {
    local words=()
    eval "words=($(settings 'sh openclaw'))"
    words[0]=$(clients_program openclaw)
    in_project "${words[@]}" --custom-compatibility "$1" --custom-model-id "$2" --workspace "$WORK/project" \
        --skip-health --skip-daemon --skip-channels --skip-skills --skip-search --skip-ui --skip-hooks >"$WORK/onboard" 2>&1 ||
        { fail "OpenClaw, $1" "openclaw onboard failed" "$WORK/onboard" && return 1; }
}

test_openclaw() {
    fresh && openclaw_onboard openai gpt-5 && task "OpenClaw, openai" openai-chat openclaw
    fresh && openclaw_onboard openai-responses gpt-5 && task "OpenClaw, openai-responses" openai-responses openclaw
    fresh && openclaw_onboard anthropic claude-sonnet-4-6 && task "OpenClaw, anthropic" anthropic openclaw
    [ "$PROVIDER" = responses ] || return 0
    fresh
    says "OpenClaw, OPENAI_BASE_URL and OPENAI_API_KEY" 'Hello from the demo provider' env OPENAI_BASE_URL="$STACK_URL/v1" OPENAI_API_KEY="$KEY" \
        "$(clients_program openclaw)" agent exec --timeout 60 --model openai/gpt-5.4 "Hello"
}
