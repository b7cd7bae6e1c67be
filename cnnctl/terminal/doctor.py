"""What the doctor found, and what its fixes made of the data."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from cnnctl.examining.findings import KINDS, LABEL
from cnnctl.formatting import printable
from cnnctl.terminal.render import LEFT, RIGHT, print_pairs, print_table, print_text, say, say_values

if TYPE_CHECKING:
    from cnnctl.config.schema import DataSettings
    from cnnctl.examining.doctor import Examined
    from cnnctl.examining.fixes import Applied

_SHOWN = 5


def print_examined(examined: "Examined", source: str) -> None:
    """How much there is of each kind, the worst labels, the confused classes, and what to do with them."""
    if say_values(examined.page, examined.fixes):
        return
    diagnosis = examined.diagnosis
    subject = diagnosis.subject
    counts = []
    for kind, about in KINDS.items():
        found = diagnosis.of_kind(kind)
        groups = len({one.group for one in found if one.group})
        if found:
            among = f" in {groups:,} group{'s' if groups > 1 else ''}" if groups else ""
            counts.append((about.title, f"{len({one.row for one in found}):,}{among}"))
    say(f"{len(subject.paths):,} images of {len(subject.classes):,} classes")
    if counts:
        say()
        print_table(("found", "images"), counts, (LEFT, RIGHT))
    else:
        say("nothing was found that a person should look at")

    worst = diagnosis.of_kind(LABEL)[:_SHOWN]
    if worst:
        say()
        rows = [
            (
                Path(subject.paths[one.row]).name,
                str(subject.splits[one.row]),
                subject.classes[subject.labels[one.row]],
                one.new_label,
                f"{one.score:.3f}",
            )
            for one in worst
        ]
        header = ("image", "split", "label", "rather", "how sure")
        print_table(header, rows, (LEFT, LEFT, LEFT, LEFT, RIGHT), drop=("split",), keep_first=True)
    if diagnosis.confused:
        say()
        print_text("taken for each other: " + "; ".join(printable(one.words()) for one in diagnosis.confused[:_SHOWN]))
    say()
    for word, sentences in (("judged", diagnosis.judged), ("left out", diagnosis.left_out)):
        for sentence in sentences:
            print_text(f"{word}: {printable(sentence)}", hang=2)
    say()
    print_pairs({"look": printable(str(examined.page)), "decide": printable(str(examined.fixes))}, 8)
    if counts:
        again = f"cnnctl doctor {shlex.quote(source)} --apply {shlex.quote(str(examined.fixes))}"
        print_text(f"next    {printable(again)}", hang=8)


def print_applied(applied: "Applied", data: "DataSettings") -> None:
    """What changed, and the lines of the config that name the new files."""
    if say_values(*(f"{key}\t{path}" for key, path in applied.written.items())):
        return
    say(f"{applied.relabelled:,} relabelled, {applied.dropped:,} dropped; {applied.images:,} images are listed")
    say("\ndata:")
    for key, path in applied.written.items():
        say(f"  {key}: {printable(str(path))}")
    drawn = [name for name, share in zip(("validation", "test"), data.shares, strict=True) if share]
    if drawn:
        what = " and ".join(drawn)
        print_text(f"\n{what} images are drawn anew from the new list: compare only runs of the same list")


def applied_json(applied: "Applied") -> dict[str, object]:
    """The form of `doctor --apply --json`."""
    return {
        "data": {key: str(path) for key, path in applied.written.items()},
        "relabelled": applied.relabelled,
        "dropped": applied.dropped,
        "images": applied.images,
    }
