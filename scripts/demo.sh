#!/bin/sh
# What `make demo` does once the program is built: runs the demonstration campaign, prints its table
# and draws its plots.
#   demo.sh [BUILD]
set -eu
build=${1:-build}
mkdir -p "$build/demo"
"$build/loris" run scripts/campaigns/demo.yaml -o "$build/demo/demo.db" --overwrite
rm -rf "$build/demo/plots"
"$build/loris" plot "$build/demo/demo.db" -o "$build/demo/plots"
"$build/loris" report "$build/demo/demo.db" -o "$build/demo/report.html"
cat <<END

Results:     $build/demo/demo.db, one SQLite file; $build/loris show $build/demo/demo.db
Plots:       $build/demo/plots/, each with the gnuplot script and the data that made it
Report:      $build/demo/report.html, one page that opens offline
One trial:   $build/loris replay $build/demo/demo.db 137
END
