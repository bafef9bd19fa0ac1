#!/bin/sh
# start worker | sender | api | pages | migrate | probe | any command of meterwarden
set -eu
kept=/opt/meterwarden/numba
if [ -d "$kept" ] && [ ! -d "$NUMBA_CACHE_DIR" ]; then   # compiled when the image was built; the cache has to be writable
    cp -a "$kept" "$NUMBA_CACHE_DIR" || true
fi
if [ -n "${CHANNELS_FROM:-}" ]; then   # engines mount secrets readable by a group; the program wants its owner alone
    install -m 600 "$CHANNELS_FROM" /tmp/channels.toml
    export METERWARDEN_CHANNELS=/tmp/channels.toml
fi
case "${1:-worker}" in
    worker) exec python -m deploy.worker "--instance=container#1" ;;
    sender) exec python -m deploy.sender ;;
    api) exec python -m deploy.serve ;;
    pages) exec python -m deploy.pages ;;
    probe)
        port=${PROBE_PORT:-19464}
        exec python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:$port/healthz', timeout=4)" ;;
    *) exec meterwarden "$@" ;;
esac
