#!/bin/sh
# Everything that the checkout needs, and nothing that is there already: Debian packages by apt (as root, only those
# missing), the virtual environment .venv from the locks, and the programs of the embedded stack.
# Safe to repeat; with all in place it ends at once.
# Usage: deploy/setup.sh          what the product needs
#        deploy/setup.sh tools    what tests run against: an MQTT broker, a Modbus master, pty pairs, a browser, and devices
#                                 that others wrote (deploy/locks/counterparts), each in an environment of its own
set -eu

cd "$(dirname "$0")/.."
checkout=$(pwd -P)
venv=$checkout/.venv
locks=deploy/locks

say() { printf 'set-up: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}

python_fits() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}
find_python() {
    for candidate in ${PYTHON:-} python3 python3.11 python3.12 python3.13 /usr/bin/python3; do
        if python_fits "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}
java_fits() {
    version=$("${METERWARDEN_JAVA:-${JAVA_HOME:+$JAVA_HOME/bin/}java}" -version 2>&1) || return 1
    major=$(printf '%s\n' "$version" | sed -n 's/.*version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p' | head -n 1)
    [ "${major:-0}" -ge 17 ]
}
missing_packages() {
    find_python >/dev/null || echo python3 python3-venv
    java_fits || echo default-jre-headless
    command -v mvn >/dev/null || echo maven
    [ -e /usr/share/zoneinfo/UTC ] || echo tzdata
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || echo debian-archive-keyring
    [ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
}

install_packages() {
    packages=$(missing_packages | tr '\n' ' ')
    [ -n "$packages" ] || return 0
    command -v apt-get >/dev/null || fail "missing: ${packages}(Debian's names); this machine has no apt-get, so install them yourself"
    [ "$(id -u)" = 0 ] || fail "missing: ${packages}; ask root for: apt-get install $packages"
    say "installing $packages"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086  # a list
    apt-get install -y -qq --no-install-recommends $packages </dev/null >/dev/null 2>&1 || {
        # no package lists yet, or old ones
        apt-get update -qq || fail "apt-get update failed: see above"
        apt-get install -y -qq --no-install-recommends $packages </dev/null >/dev/null || fail "apt-get could not install $packages"
    }
    packages=$(missing_packages | tr '\n' ' ')
    [ -z "$packages" ] || fail "still missing after the installation: ${packages}(Python 3.11 and Java 17 or later are needed; METERWARDEN_JAVA can name a Java)"
}

missing_tools() {
    [ -x /usr/sbin/mosquitto ] || command -v mosquitto >/dev/null || echo mosquitto
    command -v mosquitto_pub >/dev/null || echo mosquitto-clients
    command -v mbpoll >/dev/null || echo mbpoll
    command -v socat >/dev/null || echo socat
    command -v curl >/dev/null || echo curl
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null || printf 'chromium\nfonts-noto-cjk\n'
}
# without these a test is skipped and says so; nothing else fails
install_tools() {
    packages=$(missing_tools | tr '\n' ' ')
    [ -n "$packages" ] || return 0
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing ${packages}for tests"
        export DEBIAN_FRONTEND=noninteractive
        # shellcheck disable=SC2086  # a list
        { apt-get install -y -qq --no-install-recommends $packages || {
            apt-get update -qq && apt-get install -y -qq --no-install-recommends $packages
        }; } </dev/null >/dev/null 2>&1 || true
    fi
    packages=$(missing_tools | tr '\n' ' ')
    [ -z "$packages" ] || say "WITHOUT ${packages}THE TESTS AGAINST THEM ARE SKIPPED; ask root for: apt-get install $packages"
}

install_python() {
    python=$(find_python)
    # what the environment is made of: the locks, the project's metadata, the interpreter and the place
    made_of=$({ cat $locks/*.txt pyproject.toml; "$python" -VV; echo "$checkout"; } | cksum)
    if [ -e "$venv/.made-of" ] && [ "$(cat "$venv/.made-of")" = "$made_of" ] && [ -x "$venv/bin/meterwarden" ]; then
        return 0
    fi
    say "making .venv with $("$python" -V)"
    rm -f "$venv/.made-of"
    python_fits "$venv/bin/python" || "$python" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r $locks/tools.txt ||
        fail "pip could not install $locks/tools.txt"
    for lock in dev samples; do
        # uv is quick; pip, which reads its own settings of proxies and mirrors, is tried where uv cannot reach anything
        "$venv/bin/uv" pip install -q --python "$venv/bin/python" --no-deps --require-hashes -r $locks/$lock.txt ||
            "$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r $locks/$lock.txt ||
            fail "neither uv nor pip could install $locks/$lock.txt"
    done
    # once and for all, since some environments tell Python to keep none
    "$venv/bin/python" -m compileall -q -j 0 -x '/tests?/' "$venv/lib" >/dev/null 2>&1 || true
    "$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-index --no-build-isolation -e . ||
        fail "the project itself could not be installed"
    say "compiling the core"
    "$venv/bin/python" -m deploy.warm
    printf '%s\n' "$made_of" >"$venv/.made-of"
}

# a provider of OpenID Connect to sign in by, from npm where that is there
install_openid() {
    from=tests/deploy/web/openid
    cmp -s $from/package-lock.json "$venv/openid/made-of" && return 0
    if command -v npm >/dev/null; then
        say "fetching an OpenID Connect provider for tests"
        mkdir -p "$venv/openid"
        cp $from/package.json $from/package-lock.json "$venv/openid/"
        if (cd "$venv/openid" && npm ci --no-audit --no-fund --silent </dev/null >/dev/null 2>&1); then
            cp $from/package-lock.json "$venv/openid/made-of"
            return 0
        fi
    fi
    say "WITHOUT npm AND ITS PACKAGES THE TEST OF OPENID CONNECT IS SKIPPED; ask root for: apt-get install npm"
}

# devices and stations that others wrote, each in an environment of its own: what they need does not fit together
install_counterparts() {
    for lock in $locks/counterparts/*.txt; do
        place=$venv/counterparts/$(basename "$lock" .txt)
        made_of=$(cksum <"$lock")
        [ ! -e "$place/.made-of" ] || [ "$(cat "$place/.made-of")" != "$made_of" ] || continue
        say "installing $(basename "$lock" .txt) for tests"
        if "$venv/bin/python" -m venv --clear "$place" && {
            "$venv/bin/uv" pip install -q --python "$place/bin/python" --no-deps --require-hashes -r "$lock" ||
                "$place/bin/python" -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r "$lock"
        }; then
            printf '%s\n' "$made_of" >"$place/.made-of"
        else
            rm -rf "$place"
            say "WITHOUT $(basename "$lock" .txt) THE TESTS AGAINST IT ARE SKIPPED"
        fi
    done
}

if [ "${1:-}" = tools ]; then
    install_tools
    install_openid
    [ ! -x "$venv/bin/uv" ] || install_counterparts
    exit 0
fi
install_packages
install_python
"$venv/bin/python" -m deploy.stack
