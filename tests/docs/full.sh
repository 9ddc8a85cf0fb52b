# shellcheck shell=bash
# Sourced by run.sh --full: every sample in every language, the gateway's answers against openapi.json, and a browser.

SCORE_MIN=95

tools_stamp() { cat "$HERE/package.json" "$HERE/requirements.txt" | sha256sum | cut -c1-16; }
# No lock file: one would name the registry's hosts.
tools_install() {
    local stamp
    stamp=$TOOLS/stamp.$(tools_stamp)
    [ ! -e "$stamp" ] || return 0
    mkdir -p "$TOOLS"
    echo "Installing what the documentation's tests need into $TOOLS"
    [ ! -r /etc/ssl/certs/ca-certificates.crt ] || export NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt
    cp "$HERE/package.json" "$TOOLS/" &&
        npm --prefix "$TOOLS" install --no-package-lock --no-audit --no-fund --loglevel=error </dev/null &&
        python3 -m venv "$TOOLS/venv" &&
        "$TOOLS/venv/bin/pip" install --quiet --disable-pip-version-check -r "$HERE/requirements.txt" </dev/null &&
        touch "$stamp"
}

# program NAME FILE - one that prints its own tests and counts.
program() {
    local log=$WORK/$1.log counts
    cp "$2" "$TOOLS/$1.$$.mjs"
    timeout 900 "$TOOLS/node_modules/.bin/node" "$TOOLS/$1.$$.mjs" </dev/null 2>&1 | tee "$log" | grep -vE '^[0-9]+ passed, [0-9]+ failed$' || true
    rm -f "$TOOLS/$1.$$.mjs"
    counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1) || counts="0 passed, 1 failed"
    PASSED=$((PASSED + ${counts%% *})) FAILED=$((FAILED + $(cut -d' ' -f3 <<<"$counts")))
}

# What a page is, not how busy this machine was: the best of three.
lighthouse_is_content() { # PATH
    lighthouse_once "$1" || lighthouse_once "$1" || lighthouse_once "$1"
}
lighthouse_once() { # PATH
    local scores
    CHROME_PATH=$(command -v chromium) "$TOOLS/node_modules/.bin/node" "$TOOLS/node_modules/lighthouse/cli/index.js" "$STACK_URL$1" --quiet \
        --output=json --output-path="$WORK/lighthouse.json" --only-categories=performance,accessibility,best-practices,seo \
        --chrome-flags='--headless=new --no-sandbox --disable-gpu' || return 1
    scores=$(jq -r '.categories | to_entries[] | "\(.key) \(.value.score * 100 | round)"' "$WORK/lighthouse.json")
    echo "$scores"
    cp "$WORK/lighthouse.json" "$SHOTS/" && sed "s#^#$1 #" <<<"$scores" >>"$SHOTS/lighthouse.txt"
    awk -v min="$SCORE_MIN" '$2 < min { bad = 1 } END { exit bad || NR != 4 }' <<<"$scores"
}

check_full() {
    local path
    export BASE=$STACK_URL KEY=sk-aip-docs OPENAPI=$PAGES/openapi.json SHOTS=$AIPASS_BUILD/docs-shots
    mkdir -p "$SHOTS"
    tools_install || { FAILED=$((FAILED + 1)) && echo "FAIL docs: the tools could not be installed" && return 0; }
    check_samples py mjs c php
    program openapi "$HERE/answers.mjs"
    program browser "$HERE/browser.mjs"
    : >"$SHOTS/lighthouse.txt"
    for path in / /docs/ /docs/admin; do check "Lighthouse, mobile, is content with $path" lighthouse_is_content "$path"; done
    echo "Pictures of the pages: $SHOTS"
}
