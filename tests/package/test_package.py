"""The packages on a Debian 12 with nothing else: installed, run by the README alone, upgraded, removed and purged. The tests of
this file are steps of one way, in their order."""

import json
import pathlib
import re
import subprocess

from debian import ROOT, SOCKET
from peers import keys, mail
from peers.rapporteur import session, wait_until

CONFIG = "/etc/rapporteur/rapporteur.toml"
KEY = "/etc/rapporteur/tlsrpt.example.org.pem"
CLOCK = "clock"  # which may have nobody here to keep it
# The first two make what is installed here; the third one needs an MTA.
ELSEWHERE = ("scripts/", "sudo apt install ./build/", "sudo postfix ")
SEND = """
import socket, sys
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(sys.argv[1].encode(), "/" + "%s")
""" % SOCKET


def readme_commands():
    """The commands that the README has a newcomer type on the mail server."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    part = text.partition("On your mail server")[2].partition("## Which MTA")[0]
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", part, re.M | re.S)
    return [line.strip() for block in blocks for line in block.splitlines()]


def readme_tables():
    """The lines that it has them put into the configuration, by table."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^ *```toml\n(.*?)^ *```", text, re.M | re.S).group(1)
    tables = {}
    for line in block.splitlines():
        if line.strip().startswith("["):
            tables[line.strip()] = table = []
        elif line.strip():
            table.append(line.strip())
    return tables


def typed(debian, command, **keywords):
    """A command of the README, which has to be there, in the chroot."""
    assert command in readme_commands(), command
    words = command.split()
    user = None
    if words[:2] == ["sudo", "-u"]:
        user, words = words[2], words[3:]
    elif words[0] == "sudo":
        words = words[1:]
    return debian.run(*words, user=user, **keywords)


def published(said):
    """Name and text of the TXT record that `dkim generate` tells to publish, as a name server reads it."""
    name, strings = re.search(r"^(\S+)\. IN TXT \(((?:\s+\"[^\"]{1,255}\")+) \)$", said, re.M).groups()
    return name, "".join(re.findall(r"\"([^\"]*)\"", strings))


def judged(said, level):
    """What `check` says on this level: what it has seen, and its advice, by what it has looked at."""
    lines = [line.split(None, 1) for line in said.splitlines()]
    return dict(line[1].split(": ", 1) for line in lines if line[0] == level)


def edit(text, tables):
    """The configuration with these lines in their tables, whether those are there, commented out, or not."""
    for header, lines in tables.items():
        pattern = re.compile("^#?" + re.escape(header) + "$", re.M)
        assert pattern.search(text), f"{header} is not in {CONFIG}"
        text = pattern.sub(lambda _: "\n".join([header, *lines]), text, count=1)  # noqa: B023
    return text


def test_every_command_of_the_readme_is_tried_here():
    source = pathlib.Path(__file__).read_text(encoding="utf-8")
    untried = [command for command in readme_commands() if f'"{command}"' not in source]
    assert [command for command in untried if not command.startswith(ELSEWHERE)] == []


def test_it_is_installed_and_starts_nothing(debian, packages):
    debian.install(packages["rapporteur"])
    assert "rapporteur" in debian.run("getent", "passwd", "rapporteur")
    assert debian.run("id", "-nG", "rapporteur").split() == ["rapporteur", "rapporteur-mta"]
    assert debian.owner("/etc/rapporteur") == "root:rapporteur 2750"
    assert debian.owner("/var/lib/rapporteur") == "rapporteur:rapporteur 750"
    assert debian.owner("/run/rapporteur") == "rapporteur:rapporteur 755"
    assert debian.run("dpkg-query", "-W", "-f", "${Conffiles}", "rapporteur").split()[0] == CONFIG
    assert not list(debian.path("/etc/systemd/system").rglob("rapporteur*")), "nothing is enabled"
    assert debian.run("dpkg", "--verify", "rapporteur") == ""


def test_it_is_refused_as_it_is_installed(debian):
    for command in (("config", "check"), ("check",), ("run",)):
        said = debian.run("rapporteur", *command, user="rapporteur", code=78)
        assert "name the domain that the reports come from" in said


def test_a_newcomer_makes_a_key_and_edits_the_configuration(debian, dns, smtp, told_to_publish):
    told_to_publish.append(published(typed(debian, "sudo rapporteur dkim generate example.org tlsrpt")))
    typed(debian, "sudo chown rapporteur /etc/rapporteur/tlsrpt.example.org.pem")
    assert debian.owner(KEY) == "rapporteur:rapporteur 600"
    # What the domain has already, and one that asks for reports.
    dns.zone["_smtp._tls.example.com"] = ["v=TLSRPTv1; rua=mailto:tls@example.com"]
    dns.zone["_smtp._tls.example.org"] = ["v=TLSRPTv1; rua=mailto:postmaster@example.org"]
    dns.zone["example.org"] = {"MX": [(10, "mail.example.org")], "TXT": ["v=spf1 mx -all"], "A": ["127.0.0.1"]}
    dns.zone["mail.example.org"] = {"A": ["127.0.0.1"]}
    tables = readme_tables()
    # What stands for the machine's own relay and resolver.
    tables["[delivery.smtp]"] = [f'url = "{smtp.url}"']
    tables["[dns]"] = [f'servers = ["{dns.address}"]']
    path = debian.path(CONFIG)
    path.write_text(edit(path.read_text(encoding="utf-8"), tables), encoding="utf-8")
    said = typed(debian, "sudo -u rapporteur rapporteur config check")
    assert "error" not in said and "advice" not in said, said


def test_who_has_not_published_the_key_is_told(debian, dns, told_to_publish):
    said = typed(debian, "sudo -u rapporteur rapporteur check", code=1)
    ((name, record),) = told_to_publish
    assert judged(said, "fault") == {f"key {name}": f"there is no TXT record; publish the TXT record {record}"}
    warned = judged(said, "warning")
    assert warned.pop(f"socket /{SOCKET}").endswith("; start the daemon, and check again")
    assert set(warned) <= {CLOCK}, said
    assert said.splitlines()[-1].startswith("1 fault, ")
    dns.zone[name] = [record]


def test_the_service_runs_as_its_unit_says(debian):
    service = debian.start()
    assert service.told() == "READY=1", service.log()
    assert " started " in service.log() and "socket=systemd" in service.log()
    assert "sudo systemctl enable --now rapporteur.service" in readme_commands()
    service.process.send_signal(1)
    assert service.told().startswith("RELOADING=1\n")
    assert service.told() == "READY=1"
    assert "reloaded" in service.log()


def test_everything_around_it_is_as_it_has_to_be(debian):
    said = typed(debian, "sudo -u rapporteur rapporteur check", code=0)
    assert judged(said, "fault") == {}
    assert set(judged(said, "warning")) <= {CLOCK}, said
    assert said.splitlines()[-1].startswith("0 faults, ")
    seen = judged(said, "ok")
    assert seen[f"socket /{SOCKET}"] == "somebody receives, mode 0660"
    assert seen["key tlsrpt._domainkey.example.org"].startswith("published and matching")


def test_a_sample_report_arrives(debian, smtp):
    typed(debian, "sudo -u rapporteur rapporteur report test --to postmaster@example.org")
    wait_until(lambda: smtp.to("postmaster@example.org"), "the sample report", 30)


def test_the_socket_is_open_to_the_mta_and_to_nobody_else(debian):
    debian.install("python3-minimal")
    debian.run("useradd", "--system", "postfix")
    line = json.dumps(session("example.com"))
    said = debian.run("python3", "-c", SEND, line, user="postfix", code=1)
    assert "PermissionError" in said
    typed(debian, "sudo usermod --append --groups rapporteur-mta postfix")
    debian.run("python3", "-c", SEND, line, user="postfix")
    debian.run("cat", KEY, user="postfix", code=1)
    debian.run("cat", CONFIG, user="postfix", code=1)


def test_the_first_report_arrives(debian, dns, smtp):
    def listed():
        return "example.com" in typed(debian, "sudo -u rapporteur rapporteur schedule list")

    wait_until(listed, "the session is counted", 30, 0.5)
    assert "report.tls" in typed(debian, "sudo -u rapporteur rapporteur schedule explain example.com")
    previewed = json.loads(typed(debian, "sudo -u rapporteur rapporteur report preview example.com"))
    assert previewed["policies"][0]["summary"]["total-successful-session-count"] == 1
    typed(debian, "sudo -u rapporteur rapporteur schedule send-now example.com")
    wait_until(lambda: smtp.to("tls@example.com"), lambda: debian.service.log(), 120)
    (message,) = smtp.to("tls@example.com")
    report = mail.read_report(message.raw).report
    assert report["organization-name"] == "example.org"
    assert report["policies"][0]["summary"]["total-successful-session-count"] == 1
    (verdict,) = keys.verify(message.raw, dns.txt)
    assert verdict.verified, verdict


def changed(package, folder):
    """The next version of a package, with another default configuration."""
    tree = folder / "tree"
    subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"^(Version: .*)$", r"\1+next", control.read_text(), flags=re.M))
    with open(tree / CONFIG.lstrip("/"), "a", encoding="utf-8") as file:
        file.write("\n# A new line.\n")
    file = folder / "rapporteur-next.deb"
    subprocess.run(["dpkg-deb", "-b", tree, file], check=True, stdout=subprocess.DEVNULL)
    return file


def test_an_upgrade_keeps_what_was_edited_and_counted(debian, packages, tmp_path):
    log = debian.service.stop()
    assert "clean=yes" in log
    before = debian.path(CONFIG).read_text(encoding="utf-8")
    debian.install(changed(packages["rapporteur"], tmp_path))
    assert "+next" in debian.run("dpkg-query", "-W", "-f", "${Version}", "rapporteur")
    assert debian.path(CONFIG).read_text(encoding="utf-8") == before
    assert "# A new line." in debian.path(CONFIG + ".dpkg-dist").read_text(encoding="utf-8")
    assert debian.owner("/etc/rapporteur") == "root:rapporteur 2750"
    assert debian.owner(KEY) == "rapporteur:rapporteur 600"
    service = debian.start()
    assert service.told() == "READY=1", service.log()
    shown = json.loads(debian.run("rapporteur", "schedule", "show", "example.com", "--json", user="rapporteur"))
    assert [window["state"] for window in shown["windows"]] == ["done"]
    assert service.stop()


def test_the_library_for_mtas_is_a_package_of_its_own(debian, packages):
    debian.install(packages["rapporteur-hook"])
    files = debian.run("dpkg", "-L", "rapporteur-hook")
    for name in ("librapporteur_hook.so.0", "rapporteur_hook.h", "rapporteur_momentum.so"):
        assert f"/{name}\n" in files, name
    for path in re.findall(r"\S+\.so(?:\.0)?$", files, re.M):
        assert "not found" not in debian.run("ldd", path)
    assert "librapporteur_hook" not in debian.run("dpkg", "-L", "rapporteur")


def test_removal_keeps_and_purging_takes(debian):
    debian.run("apt-get", "-qq", "remove", "-y", "rapporteur", "rapporteur-hook")
    assert not debian.path("/usr/bin/rapporteur").exists()
    for kept in (CONFIG, KEY, "/var/lib/rapporteur/rapporteur.db"):
        assert debian.path(kept).exists(), kept
    debian.run("apt-get", "-qq", "purge", "-y", "rapporteur", "rapporteur-hook")
    for gone in ("/etc/rapporteur", "/var/lib/rapporteur", "/run/rapporteur", "/usr/share/doc/rapporteur"):
        assert not debian.path(gone).exists(), gone
    assert debian.run("find", "/etc", "/usr", "/var/lib", "-xdev", "-name", "*rapporteur*",
                      "-not", "-path", "/var/lib/dpkg/*", "-not", "-path", "/var/lib/apt/*") == ""


def test_systemd_accepts_the_units(debian, packages):
    debian.install("systemd", "man-db", "groff-base")
    debian.install(packages["rapporteur"])
    assert debian.run("id", "-nG", "rapporteur").split() == ["rapporteur", "rapporteur-mta"]
    assert debian.owner("/etc/rapporteur") == "root:rapporteur 2750"
    units = [f"/usr/lib/systemd/system/rapporteur.{kind}" for kind in ("service", "socket")]
    assert debian.run("systemd-analyze", "verify", *units) == ""
    # In tenths.
    debian.run("systemd-analyze", "--no-pager", "security", "--offline=true", "--threshold=20", units[0])
