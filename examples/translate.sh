#!/bin/sh
# Translates texts: translate.sh LANGUAGE TEXT…   (the texts must not hold quotes or backslashes)
set -eu
language=$1
shift
texts=$(printf '"%s",' "$@")
curl -sS "${CHRYSALIS_URL:-http://127.0.0.1:8787/v1}/translations" \
  -H "Authorization: Bearer $CHRYSALIS_API_KEY" -H 'Content-Type: application/json' \
  -d "{\"model\": \"chrysalis/tiny\", \"input\": [${texts%,}], \"target_language\": \"$language\"}"
echo
