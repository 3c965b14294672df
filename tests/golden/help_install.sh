for command in doctor install uninstall pack; do
    try assay $command --help
    try assay $command
    try assay $command --no-such-option
done
mkdir folder
try assay doctor nowhere
try assay doctor folder
try assay doctor folder --profile debug
try assay doctor folder --gpu hopper
try assay doctor folder --driver new
try assay doctor folder --cuda nowhere
try assay install folder
try assay install folder --project .
try assay install --status --project . folder
try assay install folder --project . --verify --no-verify
try assay uninstall --project .
try assay uninstall --project . a b
try assay pack folder
