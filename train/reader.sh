#!/bin/sh
# Makes models/reader.gguf and all that is fitted on its answers; see README.md, "The reader". What
# was broken off goes on where it was; a stage that is done is not done anew.
set -eu
data=${1:?"usage: sh train/reader.sh DATA"}
before=
for stage in first second third; do
  out=train/out/$stage.pt
  if [ -n "${trained:-}" ] || [ ! -f "train/out/$stage.done" ]; then
    python train/train_reader.py --data "$data" --stage "$stage" --out "$out" \
      ${before:+--init "$before"}
    touch "train/out/$stage.done"
    trained=$stage # what follows was not made of this one
  fi
  before=$out
done
python train/make_reader.py --data "$data" --checkpoint "$before"
python train/eval_reader.py --data "$data" --part test
python train/make_golden.py
node train/difficulty.ts --data "$data/squad/squad-v1.1-calibrate.json"
python train/reranker.py --data "$data" --bfloat16
