#!/bin/sh
# After the array: sbatch --dependency=afterok:ARRAY_JOB_ID docs/scale-out/slurm-prune.sh
#SBATCH --job-name=etl-prune
#SBATCH --cpus-per-task=8
#SBATCH --mem=8G
#SBATCH --time=24:00:00
set -e
etl merge "$RUNS"/shards/* --out "$RUNS/gender"
exec etl prune --gamma 0.1 --task gender --data "$FACES" --seed 0 --threads "$SLURM_CPUS_PER_TASK" --out "$RUNS/gender" \
  --json
