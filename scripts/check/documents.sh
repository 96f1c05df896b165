#!/bin/sh
# What texts refer to is there: documents that code, comments and `loris list` name are in the tree,
# and the example of campaign/FORMAT.md is a campaign that runs.
. "$(dirname "$0")/lib.sh"

# absent FILE...: prints each NAME.md that these files name and that is neither at that place, seen
# from the file or from the root, nor, if it has no folder, anywhere.
absent() {
    grep -oE '[A-Za-z0-9_./-]*[A-Za-z0-9_-]\.md\b' "$@" /dev/null | sort -u | while IFS=: read -r file doc; do
        [ -e "$doc" ] || [ -e "$(dirname "$file")/$doc" ] ||
            { [ "$doc" = "${doc#*/}" ] && [ -n "$(find . -name "$doc" -not -path './build/*')" ]; } ||
            echo "$file: $doc"
    done
}
# none FILE...: no such text.
none() {
    absent "$@" >"$work/absent"
    equal "$(cat "$work/absent")" ""
}

echo 'see NOWHERE.md' >"$work/wrong.c"
holds "an absent document is noticed" equal "$(absent "$work/wrong.c")" "$work/wrong.c: NOWHERE.md"
find . -not -path './build/*' -not -path './.git/*' -type f \( -name '*.[chS]' -o -name '*.md' \
    -o -name '*.sh' -o -name '*.yaml' -o -name Makefile \) >"$work/files"
holds "there are files to read" [ "$(wc -l <"$work/files")" -gt 300 ]
grep -v '^\./scripts/check/documents.sh$' "$work/files" | xargs grep -lE '\.md\b' >"$work/naming"
# shellcheck disable=SC2046
holds "documents that sources name are in the tree" none $(cat "$work/naming")
"$loris" list --format json >"$work/list"
holds "and those that loris list names" none "$work/list"
holds "a default that depends on the machine is told in words" \
    grep -q '"name": "copies".*"default": "one an environment"' "$work/list"

# The example: the first block of the document; what it includes is another file's.
sed -n '/^    campaign: /,/^$/s/^    //p' campaign/FORMAT.md | grep -v '^include:' >"$work/example.yaml"
holds "the example is whole" grep -q '^compare: ' "$work/example.yaml"
holds "it is sound" "$loris" check "$work/example.yaml"
holds "it runs" "$loris" run "$work/example.yaml" -q --trials 1 -o "$work/example.db"
finish
