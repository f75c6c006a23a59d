"""What `cmake --install` puts where, and whether systemd takes it."""

import os
import pathlib
import re
import subprocess
import tomllib

import as_service
import pytest
from peers.rapporteur import BINARY, ROOT

BUILD = pathlib.Path(os.environ.get("RAPPORTEUR_BUILD") or pathlib.Path(BINARY).parent)
MOST_EXPOSED = 2.0

pytestmark = pytest.mark.skipif(not (BUILD / "cmake_install.cmake").exists(), reason="the program is in no build tree")


def install(target, component="rapporteur"):
    done = subprocess.run(
        ["cmake", "--install", BUILD, "--component", component, "--prefix", "/usr"],
        env={**os.environ, "DESTDIR": str(target)}, capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stderr
    return {str(path.relative_to(target)) for path in target.rglob("*") if not path.is_dir()}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    target = tmp_path_factory.mktemp("installed")
    install(target)
    return target


def tool(*command):
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env={**os.environ, "SYSTEMD_COLORS": "0"}, check=False)


def test_everything_has_its_place(installed):
    files = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    wanted = {
        "etc/rapporteur/rapporteur.toml",
        "usr/bin/rapporteur",
        "usr/lib/systemd/system/rapporteur.service",
        "usr/lib/systemd/system/rapporteur.socket",
        "usr/lib/sysusers.d/rapporteur.conf",
        "usr/lib/tmpfiles.d/rapporteur.conf",
        "usr/share/bash-completion/completions/rapporteur",
        "usr/share/fish/vendor_completions.d/rapporteur.fish",
        next((name for name in files if name.endswith("/_rapporteur")), "a completion for zsh"),
        "usr/share/man/man5/rapporteur.toml.5",
        *(f"usr/share/man/man1/{page.name}" for page in (ROOT / "docs" / "man").glob("*.1")),
    }
    assert wanted <= files, wanted - files
    rest = {name for name in files - wanted if not name.startswith("usr/share/doc/rapporteur/")}
    assert rest == set()
    assert not any(word in name for name in files for word in ("hook", "momentum.so"))


def test_an_edited_configuration_stays(tmp_path):
    install(tmp_path)
    folder = tmp_path / "etc" / "rapporteur"
    shipped = (ROOT / "config" / "rapporteur.toml").read_bytes()
    install(tmp_path)
    assert [path.name for path in folder.iterdir()] == ["rapporteur.toml"]
    (folder / "rapporteur.toml").write_bytes(b"# edited\n")
    install(tmp_path)
    assert (folder / "rapporteur.toml").read_bytes() == b"# edited\n"
    assert (folder / "rapporteur.toml.new").read_bytes() == shipped


def test_the_library_for_other_programs_is_a_component_of_its_own(tmp_path):
    files = {pathlib.Path(name).name for name in install(tmp_path, "hook")}
    assert {"librapporteur_hook.so.0", "rapporteur_hook.h", "rapporteur_momentum.so"} <= files
    assert "rapporteur" not in files


def drop_ins():
    """What the documents have an administrator write with `systemctl edit`, by the kind of unit."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").rglob("*.md"))]
    blocks = [block for text in texts for block in re.findall(r"^```\n(\[.*?)^```", text, re.M | re.S)]
    return [(kind, block) for block in blocks for kind in ("service", "socket") if f"[{kind.title()}]" in block]


def units_in(folder, installed):
    """The units in a folder, with the program where it is."""
    for kind in ("service", "socket"):
        text = (installed / f"usr/lib/systemd/system/rapporteur.{kind}").read_text(encoding="utf-8")
        (folder / f"rapporteur.{kind}").write_text(re.sub(r"=\S*/bin/rapporteur ", f"={os.path.abspath(BINARY)} ", text))
    return folder / "rapporteur.service", folder / "rapporteur.socket"


def test_systemd_finds_nothing_wrong_with_the_units(installed, tmp_path):
    for kind in ("service", "socket"):
        text = (installed / f"usr/lib/systemd/system/rapporteur.{kind}").read_text(encoding="utf-8")
        for page, section in re.findall(r"man:([\w.-]+)\((\d)\)", text):
            assert (installed / f"usr/share/man/man{section}/{page}.{section}").exists(), page
    said = tool("systemd-analyze", "verify", "--man=no", *units_in(tmp_path, installed))
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


def test_systemd_finds_nothing_wrong_with_what_administrators_are_told_to_add(installed, tmp_path):
    assert {kind for kind, _ in drop_ins()} == {"service", "socket"}
    for number, (kind, text) in enumerate(drop_ins()):
        folder = tmp_path / str(number)
        (folder / f"rapporteur.{kind}.d").mkdir(parents=True)
        units = units_in(folder, installed)
        (folder / f"rapporteur.{kind}.d" / "override.conf").write_text(text)
        said = tool("systemd-analyze", "verify", "--man=no", *units)
        assert (said.returncode, said.stdout + said.stderr) == (0, ""), text


def test_the_service_is_hardened(installed):
    unit = installed / "usr/lib/systemd/system/rapporteur.service"
    said = tool("systemd-analyze", "--no-pager", "security", "--offline=true", unit)
    exposure = re.search(r"Overall exposure level for rapporteur.service: ([\d.]+)", said.stdout)
    assert float(exposure.group(1)) <= MOST_EXPOSED, said.stdout


def test_the_units_and_the_configuration_name_the_same_paths(installed, bare):
    # A configuration in which every path is the default.
    bare.write_config('[system]\ndomain = "a.example"\n[ingest.datagram]\n')
    shown = tomllib.loads(bare.run("config", "show").stdout)
    units = installed / "usr/lib/systemd/system"
    service = as_service.read_unit(units / "rapporteur.service")
    listened = re.search(r"^ListenDatagram=(.*)$", (units / "rapporteur.socket").read_text(), re.M).group(1)
    assert listened == shown["ingest"]["datagram"]["path"]
    assert listened.startswith(f"/run/{service['RuntimeDirectory'][0]}/")
    state = f"/var/lib/{service['StateDirectory'][0]}/"
    assert shown["store"]["url"].startswith(f"sqlite:{state}")
    assert shown["store"]["spill"].startswith(state)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_accounts_and_folders_are_made(installed, tmp_path):
    for folder in ("sysusers.d", "tmpfiles.d"):
        target = tmp_path / "usr" / "lib" / folder
        target.mkdir(parents=True)
        (target / "rapporteur.conf").write_bytes((installed / f"usr/lib/{folder}/rapporteur.conf").read_bytes())
    (tmp_path / "etc").mkdir()
    said = tool("systemd-sysusers", f"--root={tmp_path}")
    assert said.returncode == 0, said.stderr
    users = dict(line.split(":")[0:3:2] for line in (tmp_path / "etc/passwd").read_text().splitlines())
    groups = {line.split(":")[0]: line.split(":")[2:] for line in (tmp_path / "etc/group").read_text().splitlines()}
    assert "rapporteur" in groups["rapporteur-mta"][1].split(",")
    said = tool("systemd-tmpfiles", "--create", f"--root={tmp_path}", "rapporteur.conf")
    assert said.returncode == 0, said.stderr
    made = {name: os.stat(tmp_path / name) for name in ("etc/rapporteur", "run/rapporteur", "var/lib/rapporteur")}
    assert {name: oct(status.st_mode & 0o7777) for name, status in made.items()} == {
        "etc/rapporteur": "0o2750", "run/rapporteur": "0o755", "var/lib/rapporteur": "0o750",
    }
    assert made["etc/rapporteur"].st_uid == 0
    assert {status.st_gid for status in made.values()} == {int(groups["rapporteur"][0])}
    assert made["var/lib/rapporteur"].st_uid == int(users["rapporteur"])
