#!/bin/sh
# alertmanager.sh TEMPLATE OUTPUT: Alertmanager's configuration from alertmanager.yml and the environment, readable by
# its owner only. Runs in the container too, so: POSIX sh and awk.
set -eu

template=$1
output=$2
: "${ALERTMANAGER_SLACK_CHANNEL:=#alerts}"
export ALERTMANAGER_SLACK_CHANNEL

if [ -n "${ALERTMANAGER_EMAIL_TO:-}" ]; then
    hint='alertmanager.sh: ALERTMANAGER_EMAIL_TO is set, so this is needed too:'
    : "${ALERTMANAGER_EMAIL_SMARTHOST:?$hint host:port of the mail server}"
    : "${ALERTMANAGER_EMAIL_FROM:?$hint the sender}"
fi

umask 077
trap 'rm -f "$output.$$"' EXIT
awk '
    # A value as it stands within double quotes in YAML; its text is never taken as a pattern.
    function quoted(name, value, text, i, c) {
        value = ENVIRON[name]
        text = ""
        for (i = 1; i <= length(value); i++) {
            c = substr(value, i, 1)
            if (c ~ /[[:cntrl:]]/) {
                printf "alertmanager.sh: %s holds a control character; expected one line\n", name > "/dev/stderr"
                failed = 1
                exit 1
            }
            text = text (c == "\\" || c == "\"" ? "\\" : "") c
        }
        return text
    }
    BEGIN { keep = 1 }
    $1 == "#" && $2 == "if" { keep = ENVIRON[$3] != ""; next }
    $1 == "#" && $2 == "end" { keep = 1; next }
    !keep { next }
    /^[[:space:]]*#/ { next }
    {
        done = ""
        rest = $0
        while (match(rest, /\$\{[A-Z_]+\}/)) {
            name = substr(rest, RSTART + 2, RLENGTH - 3)
            done = done substr(rest, 1, RSTART - 1) quoted(name)
            rest = substr(rest, RSTART + RLENGTH)
        }
        print done rest
    }
    END { if (failed) exit 1 }
' "$template" >"$output.$$"
mv "$output.$$" "$output"
