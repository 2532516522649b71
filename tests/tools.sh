# shellcheck shell=bash
# What the suites under tests/*/run share. Sourced, not executed; needs `set -euo pipefail`.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ws-proto-tests
suite=$(basename "$(cd "$(dirname "$0")" && pwd)")
scratch=$(mktemp -d)
servers=()
program=
passed=0
failed=0
# No test program may take longer.
seconds=600

mkdir -p "$cache"
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

clean_up() {
    for process in "${servers[@]}" $program; do
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    rm -rf "$scratch"
}

die() {
    echo "$suite: $*" >&2
    exit 1
}

# The exit code 77 tells a caller that nothing was tested, and the line says why.
skip() {
    echo "$suite: skipped: $*"
    exit 77
}

# need COMMAND PACKAGE...: installs the Debian packages unless the command is there.
need() {
    local command=$1
    shift
    command -v "$command" >/dev/null || install_packages "$@"
}

install_packages() {
    command -v apt-get >/dev/null || die "needs $*, and there is no apt-get to install it with"
    echo "$suite: installing $*"
    local as_root=()
    [[ $(id -u) == 0 ]] || as_root=(sudo)
    {
        "${as_root[@]}" apt-get update -qq &&
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"
    } >"$scratch/apt.log" 2>&1 || {
        tail -n 5 "$scratch/apt.log" >&2
        die "could not install $*"
    }
}

# python_env NAME REQUIREMENTS: a virtual environment with exactly these packages; sets `env` to its folder.
python_env() {
    env=$cache/$1
    cmp -s "$2" "$env/installed.txt" && "$env/bin/python" -c '' 2>/dev/null && return
    need python3 python3
    python3 -c 'import ensurepip' 2>/dev/null || install_packages python3-venv
    rm -rf "$env"
    python3 -m venv "$env"
    install_python_packages "$2"
}

# install_python_packages REQUIREMENTS: into the virtual environment `env`.
install_python_packages() {
    echo "$suite: installing $(grep -c == "$1") Python packages"
    "$env/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$1" 2>"$scratch/pip.log" || {
        cat "$scratch/pip.log" >&2
        die "could not install the packages of $1"
    }
    cp "$1" "$env/installed.txt"
}

# node_modules FOLDER: what its package-lock.json says, installed into it.
node_modules() {
    need node nodejs
    need npm npm
    cmp -s "$1/package-lock.json" "$1/node_modules/installed.json" && return
    echo "$suite: installing Node packages"
    (cd "$1" && npm ci --loglevel=error --no-audit --no-fund >"$scratch/npm.log") || die "npm could not install the packages of $1"
    cp "$1/package-lock.json" "$1/node_modules/installed.json"
}

# build_examples NAME...: release builds, found in $target/release/examples.
build_examples() {
    (cd "$root" && cargo build --release --quiet "${@/#/--example=}")
}

# start_and_find_url COMMAND...: starts a server that prints its address, and sets `url` to ws://ADDRESS.
# The server is ended when the script ends.
start_and_find_url() {
    local log=$scratch/server-${#servers[@]}.log
    "$@" >"$log" 2>&1 &
    servers+=("$!")
    for _ in {1..100}; do
        url=$(grep -om1 'ws://[0-9.:]*[0-9]' "$log" || true)
        [[ -z $url ]] || return 0
        kill -0 "$!" 2>/dev/null || break
        sleep 0.1
    done
    cat "$log" >&2
    die "$1 does not say where it listens"
}

start_echo_server() {
    start_and_find_url "$target/release/examples/echo_server" --addr 127.0.0.1:0 --quiet "$@"
}

# run_bounded LOG COMMAND...: runs a program, for a limited time, and ends it when this script is ended.
run_bounded() {
    local log=$1 code=0
    shift
    timeout --kill-after=10 "$seconds" "$@" >"$log" 2>&1 &
    program=$!
    wait "$program" || code=$?
    program=
    return "$code"
}

# tally COMMAND...: runs a test program that ends with lines like `# pass 3` and `# fail 0`, shows what it
# says, and adds to `passed` and `failed`.
tally() {
    local log=$scratch/tally.log code=0 pass fail
    run_bounded "$log" "$@" || code=$?
    cat "$log"
    pass=$(sed -n 's/^.* pass \([0-9]*\)$/\1/p' "$log" | tail -n 1)
    fail=$(sed -n 's/^.* fail \([0-9]*\)$/\1/p' "$log" | tail -n 1)
    if [[ $code != 0 && ${fail:-0} == 0 ]]; then
        echo "$suite: $1 ended with $code"
        fail=1
    elif [[ -z $pass$fail ]]; then
        echo "$suite: $1 did not say how many passed"
        fail=1
    fi
    passed=$((passed + ${pass:-0}))
    failed=$((failed + ${fail:-0}))
}

# The last line of every suite, and its exit code.
summary() {
    echo "$suite: $passed passed, $failed failed"
    [[ $failed == 0 && $passed != 0 ]]
}
