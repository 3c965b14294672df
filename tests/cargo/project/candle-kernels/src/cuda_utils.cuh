// copied into OUT_DIR by every run of the build script
