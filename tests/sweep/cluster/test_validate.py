"""The shipped cluster files pass; broken in many ways, each is refused with one line that says what is wrong."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from sweep.cli.main import app
from sweep.cluster.validate import validate

HERE = Path(__file__).parents[3]
GOOGLE, OWN = "cluster.yaml", "docs/cluster-local.yaml"
GONE = object()

# Where in the file, what is put there, what is to be said. A path's last part may be a list's index.
MUTATIONS = [
    (GOOGLE, "provider.project_id", None, "provider.project_id: is missing"),
    (GOOGLE, "provider.project_id", "My Project", "is no project ID"),
    (GOOGLE, "provider.project_id", "other-project", "is not of the project other-project"),
    (GOOGLE, "provider.availability_zone", GONE, "provider.availability_zone: is missing"),
    (GOOGLE, "provider.availability_zone", "us-east5-b", "does not lie in the region us-west4"),
    (GOOGLE, "provider.type", "gpc", "provider"),
    (GOOGLE, "cluster_nme", "x", "cluster_nme: unknown key: did you mean 'cluster_name'?"),
    (GOOGLE, "max_workers", "eight", "max_workers: 'eight' is not of type 'integer'"),
    (GOOGLE, "idle_timeout_minutes", -1, "idle_timeout_minutes: -1 is less than the minimum"),
    (GOOGLE, "head_node_type", "heat", "head_node_type: heat is not among"),
    (GOOGLE, "head_node_type", "tpu_v5e_8", "is a TPU: the head only drives"),
    (GOOGLE, "available_node_types.head.node_config.scheduling", {"preemptible": True}, "must be no spot"),
    (GOOGLE, "available_node_types.head.node_config.machineTyp", "n2", "did you mean 'machineType'?"),
    (GOOGLE, "available_node_types.cpu_16.min_workers", 9, "is less than min_workers, 9"),
    (
        GOOGLE,
        "available_node_types.tpu_v5e_8.node_config.runtimeVersion",
        GONE,
        "v2-alpha-tpuv5-lite fits v5",
    ),
    (
        GOOGLE,
        "available_node_types.tpu_v6e_8.node_config.runtimeVersion",
        "v2-alpha-tpuv5-lite",
        "of another TPU",
    ),
    (GOOGLE, "available_node_types.tpu_v6e_8.node_config.schedulngConfig", {}, "'schedulingConfig'?"),
    (GOOGLE, "available_node_types.tpu_v6e_8.node_config.schedulingConfig", {"spt": True}, "'spot'?"),
    (GOOGLE, "available_node_types.tpu_v6e_8.node_config.machineType", "n2-standard-4", "together"),
    (GOOGLE, "available_node_types.tpu_v6e_8.node_config.acceleratorType", "v9-8", "v9-8 is not one of v4-8"),
    (GOOGLE, "available_node_types.tpu_v5e_8.resources.TPU", 4, "a machine of v5litepod-8 has TPU: 8, not 4"),
    (GOOGLE, "available_node_types.tpu_v5e_16_slice.max_workers", 2, "comes as 4 machines: 2 is no multiple"),
    (GOOGLE, "available_node_types.gpu_l4.resources.GPU", GONE, "g2-standard-8 has GPU: 1, not none"),
    (GOOGLE, "available_node_types.gpu_l4.node_config.scheduling", {}, "must be TERMINATE"),
    (GOOGLE, "available_node_types.cpu_16.resources.CPU", 32, "n2-standard-16 has CPU: 16, not 32"),
    (GOOGLE, "available_node_types.cpu_16.node_config.disks", GONE, "disks: are missing"),
    (GOOGLE, "available_node_types.cpu_16.node_config.machineType", GONE, "neither machineType nor"),
    (GOOGLE, "file_mounts./home/ubuntu/sweep", "elsewhere", "there is no elsewhere here"),
    (GOOGLE, "file_mounts./home/ubuntu/.ray/auth_token", GONE, "no node is given the token"),
    (GOOGLE, "initialization_commands", [], "no command sets RAY_AUTH_MODE=token"),
    (GOOGLE, "setup_commands.2", "uv venv --python 3.10 ~/sweep-venv", "Python 3.10 is too old"),
    (GOOGLE, "setup_commands.3", "pip install 'ray[default]' jax", "get other versions"),
    (GOOGLE, "setup_commands.1", "true", "installs a C++ compiler"),
    (
        GOOGLE,
        "worker_setup_commands.0",
        "true",
        "tpu_v5e_8 has TPUs, and no command installs the extra [tpu]",
    ),
    (GOOGLE, "head_start_ray_commands.1", "ray start --head --port=6379", "no --autoscaling-config"),
    (GOOGLE, "worker_start_ray_commands.1", "ray start --address=$RAY_HEAD_IP:6380", "look for port 6380"),
    (GOOGLE, "worker_start_ray_commands.1", "ray start", "no `ray start --address=$RAY_HEAD_IP:6379`"),
    (OWN, "provider.head_ip", GONE, "provider.head_ip: is missing"),
    (OWN, "provider.worker_ips", GONE, "provider.worker_ips: is missing"),
    (OWN, "provider.worker_ips", "192.168.0.11", "is not of type 'array'"),
    (OWN, "provider.worker_ips.0", "192.168.0.10", "192.168.0.10 is the head's"),
    (OWN, "provider.worker_ips.1", "192.168.0.11", "192.168.0.11 is there twice"),
    (OWN, "auth.ssh_user", GONE, "auth.ssh_user: is missing"),
    (OWN, "auth.ssh_private_key", "~/.ssh/none", "there is no ~/.ssh/none here"),
    (OWN, "head_node_type", "head", "is not for provider local"),
]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A machine that has a token and a key, and stands in the project's folder."""
    for name in (".ray/auth_token", ".ssh/id_ed25519"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("secret")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(HERE)


def told(path: Path) -> tuple[int, list[str]]:
    result = CliRunner().invoke(app, ["cluster", "validate", str(path)])
    return result.exit_code, result.output.strip().splitlines()


@pytest.mark.parametrize("name", [GOOGLE, OWN])
def test_the_shipped_files_pass_and_three_lines_of_each_are_to_be_edited(name):
    found = validate(HERE / name)
    assert not found.problems
    assert any("EDIT" in note for note in found.notes)
    assert (HERE / name).read_text().count("# EDIT ") == 3
    assert told(HERE / name)[0] == 0


@pytest.mark.parametrize(
    ("name", "path", "value", "line"), MUTATIONS, ids=[f"{m[1]}-{m[3]}" for m in MUTATIONS]
)
def test_a_broken_file_is_refused_with_the_right_line(name, path, value, line, tmp_path):
    config = yaml.safe_load((HERE / name).read_text())
    config = yaml.safe_load(
        yaml.dump(config, Dumper=_Plain)
    )  # anchors written out: a change stays in its place
    put(config, path, value)
    broken = tmp_path / "broken.yaml"
    broken.write_text(yaml.dump(config))
    code, lines = told(broken)
    assert code == 2
    assert any(line in told_line for told_line in lines), lines
    assert len([told_line for told_line in lines if told_line.startswith(str(broken))]) <= 5


def test_every_problem_is_a_line_of_its_own(tmp_path):
    config = yaml.safe_load((HERE / OWN).read_text())
    config["auth"] = {}
    config["provider"]["worker_ips"] = ["192.168.0.10"]
    (tmp_path / "two.yaml").write_text(yaml.dump(config))
    assert len(told(tmp_path / "two.yaml")[1]) >= 2


@pytest.mark.parametrize(
    ("content", "line"),
    [("a: [", "broken YAML in line"), ("- a", "a mapping that begins"), (None, "No such file")],
)
def test_what_is_no_cluster_file_is_said_so(content, line, tmp_path):
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
    if value is GONE:
        del config[last]
    else:
        config[last] = value


def split(path):
    if path.startswith("file_mounts."):
        return ["file_mounts", path.removeprefix("file_mounts.")]
    return [int(part) if part.isdigit() else part for part in path.split(".")]
