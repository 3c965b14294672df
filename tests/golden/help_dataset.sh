try assay dataset --help
for command in build list info check import; do try assay dataset $command --help; done
