#!/bin/bash
# Pretraining on several nodes with several GPUs each, through torchrun:
#   sbatch --nodes 2 recipes/slurm/pretrain.sh pixel-base --text my-text/ --output-dir runs/pixel-base
# The same command continues a run that was interrupted. Five minutes before the job's time is over the run is told to save and to end, and
# the job goes back into the queue.
#SBATCH --job-name=pixel-lm
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=96
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log

out_of_time=
stop() { # torchrun passes SIGTERM on to its processes, which save
    out_of_time=yes
    scancel --signal=TERM "$SLURM_JOB_ID.0"
}
trap stop USR1

export OMP_NUM_THREADS=1
head_node=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
# One launcher on each node; it starts one process for each GPU.
srun python -m torch.distributed.run \
    --nnodes "$SLURM_NNODES" --nproc-per-node "${SLURM_GPUS_ON_NODE:-1}" \
    --rdzv-id "$SLURM_JOB_ID" --rdzv-backend c10d --rdzv-endpoint "$head_node:29500" \
    -m pixel_lm pretrain "$@" --num-workers 8 &
run=$!
wait "$run" # ends early when the trap is called
wait "$run"
status=$?
if [ -n "$out_of_time" ]; then
    exec scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
