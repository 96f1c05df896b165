#!/bin/sh
# A layer of stack/ sees the platform and nothing else. For each folder of layers, with stack/proto
# linked in, on the plain build, which is made if it is not there (a sanitizer would bring data of
# its own):
#   (1) its undefined symbols are functions of platform.h, assert_failed and those of mem.h, so it
#       calls no other layer either;
#   (2) no writable section has a byte in it (const tables of function pointers are .data.rel.ro);
#   (3) it includes stack/include, its own folder and four of the compiler's headers; what the
#       classic file systems share is part of each of them.
# Each rule is first tried on code that breaks it.
. "$(dirname "$0")/lib.sh"

# What a layer may leave undefined.
grep -ohE '\bplat_[a-z0-9_]+ *\(' stack/include/platform.h | tr -d ' (' >"$work/names"
printf '%s\n' assert_failed memcpy memmove memset memcmp strlen >>"$work/names"
sort -u "$work/names" >"$work/allowed"

# only_allowed OBJECT: rule (1).
only_allowed() {
    [ -s "$1" ] || return 1
    nm -u "$1" | awk '{print $2}' | sort -u | comm -23 - "$work/allowed" >"$work/foreign"
    [ ! -s "$work/foreign" ] || {
        cat "$work/foreign"
        return 1
    }
}

# nothing_writable OBJECT: rule (2).
nothing_writable() {
    [ -s "$1" ] || return 1
    objdump -h "$1" | awk '$2 ~ /^(\.t?(data|bss)|COMMON)/ && $2 !~ /rel\.ro/ && $3 !~ /^0+$/ {
        print; bad = 1 } END { exit bad }' && ! nm "$1" | grep -E ' [Cc] '
}

common=stack/classic/common

# shares FOLDER: it is a classic file system.
shares() {
    case $1 in
    stack/classic/blockraid | $common) return 1 ;;
    stack/classic/*) return 0 ;;
    *) return 1 ;;
    esac
}

# own_includes FOLDER FILE...: rule (3).
own_includes() {
    folder=$1
    shift
    also=$folder
    shares "$folder" && also=$common
    wrong=0
    for file in "$@"; do
        for header in $(sed -nE 's/^[ \t]*#[ \t]*include[ \t]*([<"][^>"]+[>"]).*/\1/p' "$file"); do
            bare=$(printf '%s' "$header" | tr -d '<>"')
            case "$header" in
            '<stdint.h>' | '<stddef.h>' | '<stdbool.h>' | '<stdarg.h>') continue ;;
            '"'*/*) ;;
            '"'*) [ ! -e "$folder/$bare" ] && [ ! -e "stack/include/$bare" ] &&
                [ ! -e "$also/$bare" ] || continue ;;
            esac
            echo "$file includes $header"
            wrong=1
        done
    done
    return $wrong
}

stack_cc() {
    ${CC:-gcc} -std=c17 -O2 -fno-pie -fcf-protection=none -fno-stack-protector -ffreestanding \
        -fbuiltin -nostdinc -isystem "$(${CC:-gcc} -print-file-name=include)" -Istack/include "$@"
}

# breaks RULE CODE: the rule refuses an object of that code.
breaks() {
    rule=$1
    printf '%s\n' "$2" >"$work/bad.c"
    stack_cc -c "$work/bad.c" -o "$work/bad.o" || return 1
    ! "$rule" "$work/bad.o"
}
holds "a call of printf is seen" breaks only_allowed \
    'int printf(const char *, ...); int f(void) { return printf("%d", 1); }'
holds "a call of another layer is seen" breaks only_allowed \
    'void cache_main(void); void f(void) { cache_main(); }'
holds "a counter is seen" breaks nothing_writable \
    'int f(void) { static int calls; return ++calls; }'
holds "a table that can be written is seen" breaks nothing_writable \
    'int table[2] = {1, 2};'
holds "a variable of a thread is seen" breaks nothing_writable \
    'int f(void) { static _Thread_local int calls = 1; return ++calls; }'
holds "a header of the host does not compile" eval \
    '! printf "#include <stdio.h>\n" | stack_cc -x c -c - -o "$work/bad.o"'
printf '#include <stdint.h>\n#include "../cache/cache.h"\n' >"$work/bad.c"
holds "a neighbour's header is seen" eval '! own_includes stack/loris/vfs "$work/bad.c"'
holds "a header of the host is seen" eval \
    'printf "#include <limits.h>\n" >"$work/bad.c" && ! own_includes stack/loris/vfs "$work/bad.c"'

holds "the plain build is there" make BUILD="$build" "$build/libplain.a"

layers=0
for folder in stack/loris/*/ stack/classic/*/; do
    folder=${folder%/}
    [ "$folder" != $common ] || continue
    ls "$folder"/*.c >/dev/null 2>&1 || continue
    layers=$((layers + 1))
    layer="$work/$(basename "$folder").o"
    shared=
    if shares "$folder"; then shared=$(ls $common/*.c); fi
    objects=$(ls "$folder"/*.c $shared stack/proto/*.c | sed "s|^|$build/plain/|; s|\.c$|.o|")
    holds "$folder is one object with stack/proto" ld -r -o "$layer" $objects
    holds "$folder calls the platform alone" only_allowed "$layer"
    holds "$folder has no state outside its process" nothing_writable "$layer"
    holds "$folder includes no more than it may" own_includes "$folder" "$folder"/*.[ch]
done
holds "$common includes no more than it may" own_includes $common $common/*.[ch]
holds "stack/proto includes no more than it may" own_includes stack/proto stack/proto/*.[ch]
holds "stack/include includes itself alone" own_includes stack/include stack/include/*.h
holds "the layers of Loris are there" [ "$layers" -ge 6 ]
finish
