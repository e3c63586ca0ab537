# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for kocoon. tests/cases/completion compares its options with those of --help.

_kocoon_options() { # verb
	local policy='--sig-enforce --lockdown --force-vermagic --force-modversions --blacklist= --key='

	printf '%s ' --kernel= --modules= --symvers= --system-map= --output= --json --jobs= --quiet --verbose --color= --version --help
	case $1 in
	kernel) printf '%s ' --exports --key= ;;
	info) printf '%s ' "$policy" ;;
	check) printf '%s ' --all "$policy" ;;
	map) printf '%s ' --svg --at= "$policy" ;;
	link) printf '%s ' --at= --cpu= --symbol= "$policy" ;;
	run) printf '%s ' --all --timeout= --keep --command= --oops= --append= --debug= ;;
	esac
}

# The verb on the command line so far, and the tree given there, if any.
_kocoon_scan() {
	local i previous
	verb='' tree=''
	for ((i = 1; i < COMP_CWORD; i++)); do
		previous=${COMP_WORDS[i - 1]}
		# bash splits words at '='.
		[ "$previous" = = ] && previous=${COMP_WORDS[i - 2]}
		case $previous in
		-b | --modules) [ "${COMP_WORDS[i]}" = = ] || tree=${COMP_WORDS[i]} ;;
		-k | -o | -j | --kernel | --symvers | --system-map | --output | --jobs | --color | --at | --cpu | --symbol | --blacklist | --key | --timeout | -c | --command | --oops | --append | --debug) ;;
		*)
			case ${COMP_WORDS[i]} in
			-* | =) ;;
			*) [ -n "$verb" ] || verb=${COMP_WORDS[i]} ;;
			esac
			;;
		esac
	done
}

_kocoon_releases() {
	local kernels=${KOCOON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kocoon}/kernels path
	for path in /boot/vmlinuz-* "$kernels"/*/boot/vmlinuz-*; do
		[ -e "$path" ] && printf '%s\n' "${path##*/vmlinuz-}"
	done
	for path in "$kernels"/by-kind/*; do
		[ -e "$path" ] && printf '%s\n' "${path##*/}"
	done
}

_kocoon_modules() { # tree
	find -L "${1:-/lib/modules/$(uname -r)}" -name '*.ko*' -printf '%f\n' 2>/dev/null | sed 's/\.ko.*//'
}

_kocoon_words() { # words, current
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_kocoon_files() { # current
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

_kocoon() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} verb tree
	COMPREPLY=()
	_kocoon_scan
	if [ "$current" = = ]; then
		current=''
	elif [ "$previous" = = ]; then
		previous=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	case $previous in
	-k | --kernel)
		_kocoon_files "$current"
		mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$(_kocoon_releases)" -- "$current")
		return
		;;
	-b | --modules | --debug | -o | --output | --symvers | --system-map | --key)
		_kocoon_files "$current"
		return
		;;
	--color)
		_kocoon_words 'auto always never' "$current"
		return
		;;
	--oops)
		_kocoon_words 'stop continue' "$current"
		return
		;;
	-c | --command | --append | -j | --jobs | --timeout | --at | --symbol | --blacklist) return ;;
	esac
	case $current in
	-*)
		_kocoon_words "$(_kocoon_options "$verb")" "$current"
		case ${COMPREPLY[0]-} in *=) [ ${#COMPREPLY[@]} -eq 1 ] && compopt -o nospace 2>/dev/null ;; esac
		return
		;;
	esac
	case $verb in
	'' | help) _kocoon_words 'kernel info check map link run kallsyms help' "$current" ;;
	info | check | map | link | run)
		_kocoon_files "$current"
		[ -z "$current" ] || mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$(_kocoon_modules "$tree")" -- "$current")
		;;
	esac
}

complete -F _kocoon kocoon
