#!/usr/bin/env bash
# Each folder may include only what stands to its left (harness/ itself everything):
#     core -> artifact, dataset -> device -> cudart, measure, judge -> reference -> kernels -> harness
# Folders of one step do not include each other. usage: include_order.sh SOURCE_DIR
set -euo pipefail
cd "${1:?the source folder}"

declare -A allowed=(
    [core]="core"
    [artifact]="core artifact"
    [dataset]="core dataset"
    [device]="core artifact dataset device"
    [cudart]="core artifact dataset device cudart"
    [measure]="core artifact dataset device measure"
    [judge]="core artifact dataset device judge"
    [reference]="core artifact dataset device cudart measure judge reference"
    [kernels]="core artifact dataset device cudart measure judge reference kernels"
)
declare -A folder_of=([reference]=reference [kernels]=kernels)
for name in core artifact dataset device cudart measure judge; do folder_of[$name]=harness/$name; done

violations=0 checked=0
for name in "${!folder_of[@]}"; do
    while IFS=: read -r file line text; do
        include=$(sed -n 's/.*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' <<<"$text")
        [[ $include == */* ]] || { # a file of the same folder, or of harness/ itself
            [ -e "$(dirname "$file")/$include" ] || {
                echo "$file:$line: includes $include, which is not in its folder"
                violations=$((violations + 1))
            }
            checked=$((checked + 1))
            continue
        }
        target=${include%%/*}
        checked=$((checked + 1))
        [[ " ${allowed[$name]} " == *" $target "* ]] || {
            echo "$file:$line: $name may not include $include"
            violations=$((violations + 1))
        }
    done < <(grep -rnE '#[[:space:]]*include[[:space:]]*"' "${folder_of[$name]}" --include='*.c' --include='*.h' --include='*.cc' --include='*.cu' \
             | grep -v '^kernels/specimen/' || true)
done
echo "$checked includes checked, $violations against the order"
[ "$checked" -gt 100 ] || { echo "too few includes found: the check looked in the wrong place"; exit 1; }
exit $((violations > 0))
