# Sourced by the scripts: sees to it that Swift is there and libuv installed, and says what it does.

say() { printf '==> %s\n' "$*"; }
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Status 75 tells .ci/run that nothing failed, and nothing was checked.
skip() {
    say "${0##*/} was SKIPPED: $*"
    exit 75
}

# limited PROGRAM: with a limit of two minutes, where 'timeout' is available.
limited() { if command -v timeout >/dev/null; then timeout 120 "$@"; else "$@"; fi; }

# Without a terminal, sudo fails rather than asks for a password.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; elif ! command -v sudo >/dev/null; then
        fail "this needs root, and there is no sudo: $*"
    elif [ -t 0 ]; then sudo "$@"; else sudo -n "$@"; fi
}

# update_packages: reads apt's lists again. A failure shows when a package cannot be installed.
update_packages() { as_root apt-get update -qq || say "'apt-get update' failed; trying with the lists there are"; }

# install DEBIAN_PACKAGE BREW_FORMULA: '-' where there is none.
install() {
    if [ "$(uname)" = Darwin ]; then
        [ "$2" != - ] || fail "$1 is not available on macOS"
        command -v brew >/dev/null || fail "$2 is missing, and so is Homebrew (https://brew.sh) to install it with"
        say "$2 is missing: installing it with 'brew install $2'"
        brew install "$2"
    elif command -v apt-get >/dev/null; then
        say "$1 is missing: installing it with 'apt-get install $1'"
        update_packages
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o DPkg::Lock::Timeout=120 "$1" >/dev/null
    else
        fail "$1 is missing; install it with this system's package manager"
    fi
}

need_swift() {
    local output
    command -v swift >/dev/null || fail "Swift is missing; get version 6.2 or later from https://www.swift.org/install"
    output=$(swift --version 2>&1) || fail "swift --version failed: $output"
    [[ $output =~ Swift\ version\ ([0-9]+)\.([0-9]+) ]] || fail "swift --version names no version: $output"
    set -- "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
    [ "$1" -gt 6 ] || { [ "$1" -eq 6 ] && [ "$2" -ge 2 ]; } || fail "Swift $1.$2 is too old; version 6.2 or later is needed"
}

need_libuv() {
    [ -e /usr/include/uv.h ] || { command -v pkg-config >/dev/null && pkg-config --exists libuv; } || install libuv1-dev libuv
}
