"""The shipped cluster files pass; each of many errors is reported in one line."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from sweep.cli.main import app
from sweep.cluster.validate import validate

HERE = Path(__file__).parents[3]
GOOGLE, LOCAL, AMAZON = "cluster.yaml", "docs/cluster-local.yaml", "docs/cluster-aws.yaml"
REMOVED = object()

# File, path in the file, new value, part of the expected line. The last part of a path may be a list index.
MUTATIONS = [
    (GOOGLE, "provider.project_id", None, "provider.project_id is missing"),
    (GOOGLE, "provider.project_id", "My Project", "is not a project ID"),
    (GOOGLE, "provider.project_id", "other-project", "does not belong to project other-project"),
    (GOOGLE, "provider.availability_zone", REMOVED, "provider.availability_zone is missing"),
    (GOOGLE, "provider.availability_zone", "us-east5-b", "is not in region us-west4"),
    (GOOGLE, "provider.type", "gpc", "provider"),
    (GOOGLE, "cluster_nme", "x", "cluster_nme: unknown key: did you mean 'cluster_name'?"),
    (GOOGLE, "max_workers", "eight", "max_workers: 'eight' is not of type 'integer'"),
    (GOOGLE, "idle_timeout_minutes", -1, "idle_timeout_minutes: -1 is less than the minimum"),
    (GOOGLE, "head_node_type", "heat", "head_node_type: heat is not in"),
    (GOOGLE, "head_node_type", "tpu_v5e_8", "is a TPU: the head node runs no shard"),
    (GOOGLE, "available_node_types.head.node_config.scheduling", {"preemptible": True}, "must not be a spot"),
    (GOOGLE, "available_node_types.head.node_config.machineTyp", "n2", "did you mean 'machineType'?"),
    (GOOGLE, "available_node_types.cpu_16.min_workers", 9, "is less than min_workers (9)"),
    (
        GOOGLE,
        "available_node_types.tpu_v5e_8.node_config.runtimeVersion",
        REMOVED,
        "use v2-alpha-tpuv5-lite for v5",
    ),
    (
        GOOGLE,
        "available_node_types.tpu_v6e_8.node_config.runtimeVersion",
        "v2-alpha-tpuv5-lite",
        "for another TPU",
    ),
    (GOOGLE, "available_node_types.tpu_v6e_8.node_config.schedulngConfig", {}, "'schedulingConfig'?"),
    (GOOGLE, "available_node_types.tpu_v6e_8.node_config.schedulingConfig", {"spt": True}, "'spot'?"),
    (GOOGLE, "available_node_types.tpu_v6e_8.node_config.machineType", "n2-standard-4", "not both"),
    (GOOGLE, "available_node_types.tpu_v6e_8.node_config.acceleratorType", "v9-8", "v9-8 is not one of v4-8"),
    (GOOGLE, "available_node_types.tpu_v5e_8.resources.TPU", 4, "a machine of v5litepod-8 has TPU: 8, not 4"),
    (GOOGLE, "available_node_types.tpu_v5e_16_slice.max_workers", 2, "has 4 hosts: 2 is not a multiple"),
    (GOOGLE, "available_node_types.gpu_l4.resources.GPU", REMOVED, "g2-standard-8 has GPU: 1, not none"),
    (GOOGLE, "available_node_types.gpu_l4.node_config.scheduling", {}, "must be TERMINATE"),
    (GOOGLE, "available_node_types.cpu_16.resources.CPU", 32, "n2-standard-16 has CPU: 16, not 32"),
    (GOOGLE, "available_node_types.cpu_16.node_config.disks", REMOVED, "disks is missing"),
    (GOOGLE, "available_node_types.cpu_16.node_config.machineType", REMOVED, "neither machineType nor"),
    (GOOGLE, "file_mounts./home/ubuntu/sweep", "elsewhere", "elsewhere does not exist"),
    (
        GOOGLE,
        "file_mounts./home/ubuntu/.ray/auth_token",
        REMOVED,
        "nodes do not get the authentication token",
    ),
    (GOOGLE, "initialization_commands", [], "no command sets RAY_AUTH_MODE=token"),
    (GOOGLE, "setup_commands.2", "uv venv --python 3.10 ~/sweep-venv", "Python 3.10 is too old"),
    (GOOGLE, "setup_commands.3", "pip install 'ray[default]' jax", "install other versions"),
    (GOOGLE, "setup_commands.1", "true", "installs a C++ compiler"),
    (
        GOOGLE,
        "worker_setup_commands.0",
        "true",
        "tpu_v5e_8 has TPUs, but no command installs the extra [tpu]",
    ),
    (GOOGLE, "head_start_ray_commands.1", "ray start --head --port=6379", "no --autoscaling-config"),
    (GOOGLE, "worker_start_ray_commands.1", "ray start --address=$RAY_HEAD_IP:6380", "connect to port 6380"),
    (GOOGLE, "worker_start_ray_commands.1", "ray start", "no `ray start --address=$RAY_HEAD_IP:6379`"),
    (AMAZON, "provider.region", REMOVED, "provider.region is missing"),
    (AMAZON, "provider.region", "west", "west is not a region"),
    (AMAZON, "provider.availability_zone", "us-east-1a", "us-east-1a is not in region us-west-2"),
    (AMAZON, "head_node_type", "haed", "did you mean 'head'?"),
    (
        AMAZON,
        "available_node_types.head.node_config.InstanceMarketOptions",
        {"MarketType": "spot"},
        "be a spot",
    ),
    (
        AMAZON,
        "available_node_types.cpu_32.node_config.InstanceTyp",
        "c7a.large",
        "did you mean 'InstanceType'?",
    ),
    (AMAZON, "available_node_types.cpu_32.node_config.InstanceType", REMOVED, "InstanceType is missing"),
    (AMAZON, "available_node_types.cpu_32.node_config.ImageId", "ubuntu", "ubuntu is not an image ID"),
    (AMAZON, "available_node_types.cpu_32.node_config.ImageId", REMOVED, "none is not an image ID"),
    (AMAZON, "available_node_types.cpu_32.resources.CPU", 16, "c7a.8xlarge has CPU: 32, not 16"),
    (AMAZON, "available_node_types.cpu_32.min_workers", 9, "is less than min_workers (9)"),
    (AMAZON, "available_node_types.gpu_l4.resources.GPU", REMOVED, "g6.2xlarge has GPU: 1, not none"),
    (AMAZON, "worker_setup_commands.0", "true", "gpu_l4 has GPUs, but no command installs the extra [cuda]"),
    (AMAZON, "setup_commands.3", "pip install -c constraints.txt '.[cluster]'", "installs the extra [aws]"),
    (LOCAL, "provider.head_ip", REMOVED, "provider.head_ip is missing"),
    (LOCAL, "provider.worker_ips", REMOVED, "provider.worker_ips is missing"),
    (LOCAL, "provider.worker_ips", "192.168.0.11", "is not of type 'array'"),
    (LOCAL, "provider.worker_ips.0", "192.168.0.10", "192.168.0.10 is the head node"),
    (LOCAL, "provider.worker_ips.1", "192.168.0.11", "192.168.0.11 is listed twice"),
    (LOCAL, "auth.ssh_user", REMOVED, "auth.ssh_user is missing"),
    (LOCAL, "auth.ssh_private_key", "~/.ssh/none", "~/.ssh/none does not exist"),
    (LOCAL, "head_node_type", "head", "does not apply to provider local"),
]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home folder with a token and a key; the working directory is the project's folder."""
    for name in (".ray/auth_token", ".ssh/id_ed25519"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("secret")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(HERE)


def validate_file(path: Path) -> tuple[int, list[str]]:
    result = CliRunner().invoke(app, ["cluster", "validate", str(path)])
    return result.exit_code, result.output.strip().splitlines()


@pytest.mark.parametrize(("name", "lines"), [(GOOGLE, 3), (LOCAL, 3), (AMAZON, 2)])
def test_shipped_files_pass_and_mark_the_lines_to_edit(name, lines):
    found = validate(HERE / name)
    assert not found.problems
    assert any("EDIT" in note for note in found.notes)
    assert (HERE / name).read_text().count("# EDIT ") == lines
    assert validate_file(HERE / name)[0] == 0


@pytest.mark.parametrize(
    ("name", "path", "value", "line"), MUTATIONS, ids=[f"{m[1]}-{m[3]}" for m in MUTATIONS]
)
def test_each_error_is_reported_in_one_line(name, path, value, line, tmp_path):
    config = yaml.safe_load((HERE / name).read_text())
    config = yaml.safe_load(
        yaml.dump(config, Dumper=_Plain)
    )  # expand anchors, so that a change affects one place only
    put(config, path, value)
    broken = tmp_path / "broken.yaml"
    broken.write_text(yaml.dump(config))
    code, lines = validate_file(broken)
    assert code == 2
    assert any(line in text for text in lines), lines
    assert len([text for text in lines if text.startswith(str(broken))]) <= 5


def test_every_problem_has_its_own_line(tmp_path):
    config = yaml.safe_load((HERE / LOCAL).read_text())
    config["auth"] = {}
    config["provider"]["worker_ips"] = ["192.168.0.10"]
    (tmp_path / "two.yaml").write_text(yaml.dump(config))
    assert len(validate_file(tmp_path / "two.yaml")[1]) >= 2


@pytest.mark.parametrize(
    ("content", "line"),
    [("a: [", "broken YAML in line"), ("- a", "a mapping that starts"), (None, "No such file")],
)
def test_other_files_are_rejected(content, line, tmp_path):
    if content is not None:
        (tmp_path / "f.yaml").write_text(content)
    from sweep.errors import SpecError

    with pytest.raises(SpecError, match=line):
        validate(tmp_path / "f.yaml")


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data):
        return True


def put(config, path, value):
    *parents, last = split(path)
    for part in parents:
        config = config[part]
    if value is REMOVED:
        del config[last]
    else:
        config[last] = value


def split(path):
    if path.startswith("file_mounts."):
        return ["file_mounts", path.removeprefix("file_mounts.")]
    return [int(part) if part.isdigit() else part for part in path.split(".")]
