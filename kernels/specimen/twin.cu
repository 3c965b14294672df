/* A faulty twin in one translation unit, to be quick to build: -DSPECIMEN_FAULT=<id> -DSPECIMEN_HEAD_DIM=64. */
#include "attention.cu"
#include "run_mha.cu"
