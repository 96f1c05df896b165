# Completion of loris for bash: source it, or let `make install` put it where bash-completion looks.
# Commands, options and names are asked from the program itself, so that they are those that it has.

# The names that --format, --progress, --keep and --kind take are words of their help.
_loris_values() {
    local loris=$1 command=$2 option=$3
    case $option in
    --format)
        [ "$command" = plot ] && { echo svg png; return; }
        "$loris" "$command" --help 2>/dev/null | sed -n 's/^ .*--format=F  *//p' | sed 's/.*: //'
        ;;
    --progress) echo bar lines json off ;;
    --keep) echo broken all ;;
    --kind) _loris_names "$loris" plots ;;
    --measure) _loris_names "$loris" measures ;;
    esac
}

# _loris_names LORIS SECTION: names of that section of loris list, options and parameters left out.
_loris_names() {
    "$1" list "$2" 2>/dev/null | sed -n 's/^  \([^ ][^ ]*\) .*/\1/p'
}

_loris_commands() {
    "$1" --help 2>/dev/null | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'
}

_loris_options() {
    "$1" "$2" --help 2>/dev/null | sed -n 's/^ *\(-[a-zA-Z?], \)\{0,1\}\(--[a-z-]*\).*/\2/p'
}

# Files whose names end in one of the endings, and folders.
_loris_files() {
    local word=$1 ending
    shift
    for ending in "$@"; do
        compgen -f -X "!*.$ending" -- "$word"
    done
    compgen -d -S / -- "$word"
}

_loris() {
    local loris=${COMP_WORDS[0]/#\~/$HOME} command=${COMP_WORDS[1]:-}
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} values
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_loris_commands "$loris") --help --version" -- "$word")
        return
    fi
    # `--format=c` comes as three words, since `=` breaks words
    if [ "$word" = = ]; then
        word=
    elif [ "$before" = = ]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    values=$(_loris_values "$loris" "$command" "$before")
    if [ -n "$values" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word")
    elif [ "${word#-}" != "$word" ]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_loris_options "$loris" "$command")" -- "$word")
    elif [ "$command" = list ] && [ "$COMP_CWORD" -eq 2 ]; then
        values=$("$loris" list --help | sed -n 's/^Things: //p')
        mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word")
    elif [ "$command" = list ]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_loris_names "$loris" "${COMP_WORDS[2]}")" -- "$word")
    else
        case $command in
        run | check | explore) mapfile -t COMPREPLY < <(_loris_files "$word" yaml yml) ;;
        *) mapfile -t COMPREPLY < <(_loris_files "$word" db) ;;
        esac
        [ "${#COMPREPLY[@]}" -ne 1 ] || [ "${COMPREPLY[0]%/}" = "${COMPREPLY[0]}" ] || compopt -o nospace 2>/dev/null
    fi
}
complete -F _loris loris
