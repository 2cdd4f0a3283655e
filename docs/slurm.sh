#!/usr/bin/env bash
# Runs a sweep in a Slurm allocation of one or more nodes. The arguments are those of `sweep run`:
#
#   sbatch docs/slurm.sh lecun1989 --root /shared/results
#   sbatch --nodes=4 --time=08:00:00 docs/slurm.sh lecun1989 --root /shared/results
#
# Activate the virtual environment before. Submit the same command again after the time limit or any failure: it trains
# only the missing runs. docs/slurm.md describes the details.
#SBATCH --job-name=sweep
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=01:00:00
#SBATCH --output=sweep-%j.log
set -euo pipefail

# A folder of Ray for this job alone: users share /tmp. The path of a socket has at most 107 characters.
export RAY_TMPDIR="/tmp/ray-$SLURM_JOB_ID"
mkdir -p "$RAY_TMPDIR"
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$RAY_TMPDIR"' EXIT

# The nodes authenticate with the token in ~/.ray/auth_token, because other users can reach the ports of a node.
export RAY_AUTH_MODE=token RAY_ENABLE_UV_RUN_RUNTIME_ENV=0 RAY_USAGE_STATS_ENABLED=0
test -s "${RAY_AUTH_TOKEN_PATH:-$HOME/.ray/auth_token}" || ray get-auth-token --generate &>/dev/null

# Jobs that share a node need different ports. Ray's workers use ports from 10002 to 19999.
port=$((20000 + 2 * (SLURM_JOB_ID % 5000)))
ip=$(python -c 'from ray.util import get_node_ip_address; print(get_node_ip_address())')
common=(--block --num-cpus="$SLURM_CPUS_PER_TASK" --dashboard-agent-listen-port=0)
step=(srun --overlap --cpus-per-task="$SLURM_CPUS_PER_TASK" --quiet)

# This script runs on the first node of the allocation.
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
"${step[@]}" --nodes=1 --ntasks=1 --nodelist="$head" \
  ray start "${common[@]}" --head --node-ip-address="$ip" --port="$port" --ray-client-server-port=$((port + 1)) \
  --include-dashboard=false >/dev/null &
until (exec 3<>"/dev/tcp/$ip/$port") 2>/dev/null && ray status --address "$ip:$port" &>/dev/null; do
  kill -0 $! 2>/dev/null || { echo "Ray did not start on $head" >&2; exit 1; }
  sleep 1
done
others=$((SLURM_JOB_NUM_NODES - 1))
if ((others)); then
  "${step[@]}" --nodes="$others" --ntasks="$others" --exclude="$head" \
    ray start "${common[@]}" --address="$ip:$port" >/dev/null &
fi

# The driver runs here and writes the root. Nodes that join later receive shards, too.
sweep run "$@" --address "$ip:$port"
