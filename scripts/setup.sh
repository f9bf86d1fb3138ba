# Sourced by the scripts: sees to it that Swift is there and libuv installed, and says what it does.

say() { printf '==> %s\n' "$*"; }
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; elif command -v sudo >/dev/null; then sudo "$@"; else
        fail "this needs root, and there is no sudo: $*"
    fi
}

# install DEBIAN_PACKAGE BREW_FORMULA: '-' where there is none.
install() {
    if [ "$(uname)" = Darwin ]; then
        [ "$2" != - ] || fail "$1 is not available on macOS"
        command -v brew >/dev/null || fail "$2 is missing, and so is Homebrew (https://brew.sh) to install it with"
        say "$2 is missing: installing it with 'brew install $2'"
        brew install "$2"
    elif command -v apt-get >/dev/null; then
        say "$1 is missing: installing it with 'apt-get install $1'"
        as_root apt-get update -qq
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$1" >/dev/null
    else
        fail "$1 is missing; install it with this system's package manager"
    fi
}

need_swift() {
    command -v swift >/dev/null || fail "Swift is missing; get version 6.2 or later from https://www.swift.org/install"
    local version
    version=$(swift --version 2>/dev/null | sed -nE 's/.*Swift version ([0-9]+)\.([0-9]+).*/\1 \2/p' | head -n 1)
    # shellcheck disable=SC2086
    set -- ${version:-0 0}
    [ "$1" -gt 6 ] || { [ "$1" -eq 6 ] && [ "$2" -ge 2 ]; } || fail "Swift $1.$2 is too old; version 6.2 or later is needed"
}

need_libuv() {
    [ -e /usr/include/uv.h ] || { command -v pkg-config >/dev/null && pkg-config --exists libuv; } || install libuv1-dev libuv
}
