"""LibreOffice as a converter of formats that nothing else reads well."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from index.parse.outline import Unreadable

#: Documents may name pictures, texts and programs of other places. Nothing of them is fetched or run.
_SETTINGS = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<oor:items xmlns:oor="http://openoffice.org/2001/registry">'
    + "".join(
        f'<item oor:path="/org.openoffice.Office.{path}"><prop oor:name="{name}" oor:op="fuse">'
        f"<value>{value}</value></prop></item>"
        for path, name, value in (
            ("Common/Security/Scripting", "BlockUntrustedRefererLinks", "true"),
            ("Common/Security/Scripting", "DisableMacrosExecution", "true"),
            ("Common/Security/Scripting", "DisableActiveContent", "true"),
            ("Writer/Content/Update", "Link", "0"),
            ("Calc/Content/Update", "Link", "0"),
        )
    )
    + "</oor:items>"
)


def available() -> bool:
    return shutil.which("soffice") is not None


def converted(path: Path, old: str, new: str) -> Path:
    """The document in another format, in the private folder. Both are suffixes without a dot.

    Raises Unreadable when LibreOffice is not installed or cannot read the document.
    """
    if not available():
        raise Unreadable(
            f"The document is in the old {old.upper()} format, which needs LibreOffice: install soffice."
        )
    folder = Path(tempfile.mkdtemp())
    source = folder / f"document.{old}"
    shutil.copyfile(path, source)
    settings = folder / "profile" / "user" / "registrymodifications.xcu"
    settings.parent.mkdir(parents=True)
    settings.write_text(_SETTINGS)
    subprocess.run(
        [
            "soffice",
            f"-env:UserInstallation={(folder / 'profile').as_uri()}",
            *("--headless", "--norestore", "--nolockcheck", "--convert-to", new, "--outdir", str(folder)),
            str(source),
        ],
        check=False,
        stdout=subprocess.DEVNULL,
    )
    # soffice ends with 0 also when it converted nothing.
    target = source.with_suffix(f".{new}")
    if not target.exists():
        raise Unreadable(f"The document is damaged: LibreOffice could not read it as {old.upper()}.")
    return target
