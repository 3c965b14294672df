#!/bin/sh
# What there is to compile in this folder, a line each: PATH SOURCE KIND FAULT ENTRY CHECK
#
#   NAME.cu    compiled as it is: a module of entry points that Candle's modules have too. The name is free: unary.cu, or
#              unary_gelu.cu beside it
#   NAME.def   its faulty twins, a line each:
#              FAULT(number, name, entry point, check that breaks, "what is wrong")
#
# PATH is that of the module below the folder of all, without .ptx; FAULT is 0 and ENTRY and CHECK are - where there is none.
set -eu
cd "$(dirname "$0")"
for source in *.cu; do
	[ -e "$source" ] || continue
	name=${source%.cu}
	echo "good/candle-kernels-specimen/out/$name $source good 0 - -"
	echo "fast/candle-kernels-specimen/out/$name $source fast 0 - -"
	[ -e "$name.def" ] || continue
	awk -v name="$name" -v source="$source" '
		/^FAULT\(/ {
			if (!match($0, /^FAULT\([0-9]+, *[a-z0-9_]+, *[A-Za-z0-9_]+, *[a-z_]+, *"/)) {
				print name ".def:" NR ": cannot be read: " $0 >"/dev/stderr"
				exit 1
			}
			split(substr($0, 7, RLENGTH - 7), field, / *, */)
			if (field[1] in number || field[2] in fault) {
				print name ".def:" NR ": its number or name is another line'"'"'s too: " $0 >"/dev/stderr"
				exit 1
			}
			number[field[1]] = fault[field[2]] = 1
			print "faulty/" name "." field[2] "/" name, source, "faulty", field[1], field[3], field[4]
		}' "$name.def"
done
