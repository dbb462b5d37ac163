#!/bin/sh
# A chat as a stream of events, and one whose answer is held to a schema. Nothing but curl.
set -eu
ask() {
  curl -sS --fail-with-body -N --compressed "${CHRYSALIS_URL:-http://127.0.0.1:8787/v1}/chat/completions" \
    -H "Authorization: Bearer $CHRYSALIS_API_KEY" -H 'Content-Type: application/json' -d "$1"
  echo
}
ask '{"model": "chrysalis/tiny", "stream": true, "stream_options": {"include_usage": true},
  "messages": [{"role": "user", "content": "Hello"}]}'
ask '{"model": "chrysalis/tiny", "messages": [{"role": "user", "content": "Where shall we go?"}],
  "response_format": {"type": "json_schema", "json_schema": {"name": "trip", "strict": true, "schema": {
    "type": "object", "properties": {"city": {"enum": ["Berlin", "Paris", "Rome"]}}, "required": ["city"],
    "additionalProperties": false}}}}'
