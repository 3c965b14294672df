for command in '' inspect devices report compare matrix; do
    # shellcheck disable=SC2086
    try assay $command --help
done
try assay help
try assay -h
try assay --version
