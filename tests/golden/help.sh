for command in '' inspect devices report compare matrix merge; do
    # shellcheck disable=SC2086
    try assay $command --help
done
try assay help
try assay -h
try assay --version
