#!/bin/sh
# Harvest in 8 shards: sbatch docs/scale-out/slurm-harvest.sh, with FACES and RUNS on a file system all nodes see.
#SBATCH --job-name=etl-harvest
#SBATCH --array=1-8
#SBATCH --cpus-per-task=4
#SBATCH --mem=4G
#SBATCH --time=12:00:00
#SBATCH --requeue
set -e
out="$RUNS/shards/$SLURM_ARRAY_TASK_ID"
# A task that was requeued may find the lock of its first try, taken on another node.
rm -f "$out/lock.json"
exec etl harvest --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" --task gender --data "$FACES" --seed 0 \
  --threads "$SLURM_CPUS_PER_TASK" --out "$out" --json
