for command in verify bench run; do try assay $command --help; done
