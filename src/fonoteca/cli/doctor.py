"""`fonoteca doctor`: what is wrong with an archive, and what to do."""

from __future__ import annotations

from pathlib import Path

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import print_json, print_table, say
from fonoteca.flows.doctor import Health, examine
from fonoteca.rescue import doctor_rooms
from fonoteca.wiring import open_archive

_MARKS = {Health.SOUND: "ok", Health.ADVICE: "see to", Health.BROKEN: "broken", Health.DAMAGED: "damaged"}
_STATUSES = {Health.SOUND: 0, Health.ADVICE: 0, Health.BROKEN: 1, Health.DAMAGED: 4}


@app.command("doctor")
def doctor_command(archive: ArchiveOption = Path(), as_json: JsonOption = False) -> int:
    """Say what is wrong with an archive, and what to do. Changes nothing and hashes no music: that is what an audit is for.

    Exit status: 0 sound, 1 something is broken, 4 damage is known.
    """
    with open_archive(archive) as opened:
        found = list(examine(doctor_rooms(opened)))
    if as_json:
        rows = [{"question": f.question, "health": f.health, "said": f.said, "remedy": f.remedy} for f in found]
        print_json({"archive": str(archive), "findings": rows})
    else:
        print_table("", ("", "", "found", "what to do"), [(_MARKS[f.health], f.question, f.said, f.remedy) for f in found])
        if all(f.health == Health.SOUND for f in found):
            say("nothing to do", "green")
    return max(_STATUSES[f.health] for f in found)
