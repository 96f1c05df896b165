#!/bin/sh
# man.sh LORIS: writes the manual page loris(1), as mdoc, on stdout. All of it but the sections at its end
# is what the program itself says with --help, so that it cannot tell anything else.
set -eu
export LC_ALL=C
loris=$1

# Of texts: a backslash, and a dot or quote at the start of a line, mean something to troff.
plain() {
    sed -e 's/\\/\\e/g' -e "s/^\([.']\)/\\\\\&\1/" -e 's/-/\\-/g'
}
# as_it_is: stdin as a display.
as_it_is() {
    echo '.Bd -literal -offset 2n'
    plain
    echo '.Ed'
}

version=$("$loris" --version | sed 's/^loris \([^,]*\),.*/\1/')
help=$("$loris" --help)
commands=$(printf '%s\n' "$help" | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')

cat <<EOF
.\\" Made by scripts/man/man.sh from loris --help.
.Dd \$Mdocdate\$
.Dt LORIS 1
.Os "loris $version"
.Sh NAME
.Nm loris
.Nd inject faults into real storage stacks on simulated hardware
.Sh SYNOPSIS
.Nm
.Ar command
.Op Ar option ...
.Op Ar file ...
.Sh DESCRIPTION
A campaign, a YAML file, names storage stacks, workloads and faults.
.Nm
runs every combination many times on simulated machines, judges what became of the data,
and leaves one SQLite file of results, from which come tables, plots, comparisons and a report.
Every trial can be run again, event by event.
.Pp
EOF
printf '%s\n' "$help" | sed -n '/^Commands:/,/^$/p' | as_it_is
echo '.Sh COMMANDS'
for command in $commands; do
    echo ".Ss loris $command"
    "$loris" "$command" --help | as_it_is
done
echo '.Sh EXAMPLES'
printf '%s\n' "$help" | sed -n '/^First steps:/,/^$/s/^  //p' | as_it_is
cat <<'EOF'
.Sh EXIT STATUS
.Bl -tag -width 8n
.It 0
done; of
.Cm compare :
nothing is shown to be worse
.It 1
.Cm compare :
worse than the margin allows;
.Cm explore
and
.Cm run Fl \-strict :
a broken promise;
.Cm replay :
the run diverged;
.Cm shrink :
it did not fail again
.It 2
wrong input: a line an error on stderr, with its place; no file is made or changed
.It 3
a defect of loris itself; the trial that hit it is named, all finished rows are kept
.It 130, 143
SIGINT, SIGTERM: all rows are kept, and it is said how to go on
.El
.Sh ENVIRONMENT
.Bl -tag -width 8n
.It Ev NO_COLOR
if set, no colours on a terminal
.It Ev TMPDIR
where temporary folders are made
.El
.Sh SEE ALSO
.Xr gnuplot 1 ,
.Xr sqlite3 1
EOF
