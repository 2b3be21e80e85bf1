# Sourced by ./run and ./test: makes sure that Debian packages and the toolchain are there.

# need PACKAGE...: installs what is missing where it may, and says what to install where it may not.
need() {
    missing=""
    if command -v dpkg-query >/dev/null 2>&1; then
        for package in "$@"; do
            state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
            [ "$state" = installed ] || missing="$missing $package"
        done
    else
        echo "This is not a Debian system. If something is missing below, install what Debian calls: $*" >&2
    fi
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "Installing:$missing" >&2
        apt-get update -qq >&2
        # shellcheck disable=SC2086 # the list is meant to split
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2
    else
        echo "Missing packages. As root: apt-get install$missing" >&2
    fi
}

# The toolchain may be installed for the user without being on the path of this shell.
if ! command -v cargo >/dev/null 2>&1 && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
    PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
fi
if ! command -v cargo >/dev/null 2>&1; then
    echo "The Rust toolchain (1.95 or newer) is missing: see https://rustup.rs" >&2
    exit 1
fi

# The software Vulkan driver complains where there is no folder for this session's sockets.
if [ -z "${XDG_RUNTIME_DIR:-}" ]; then
    XDG_RUNTIME_DIR=$(mktemp -d)
    export XDG_RUNTIME_DIR
fi
