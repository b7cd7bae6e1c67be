"""A CSV of images: its columns, its labels as text, and its mistakes by line."""

from pathlib import Path

import pytest

from cnnctl.data.table import Columns, count_labels, read_paths, read_table
from cnnctl.errors import DataError
from tests.images import write_classes

READERS = [read_table, read_paths, count_labels]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.png", "c d.png", "é.png"):
        (tmp_path / name).touch()
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "x.png").touch()
    return tmp_path


def write(folder: Path, text: str | bytes) -> Path:
    file = folder / "images.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_own_column_names_and_others_beside_them(folder: Path) -> None:
    file = write(folder, "id,file,class\n1,b.png,dog\n2,c d.png,cat\n")
    columns = Columns("file", "class")
    listing = read_table(file, columns)
    assert listing.paths == [str(folder / "b.png"), str(folder / "c d.png")]
    assert listing.labels == ["dog", "cat"]
    assert read_paths(file, columns) == listing.paths
    assert count_labels(file, columns) == 2


@pytest.mark.parametrize("label", ["NA", "007", "no", "1e3", "null", "nan", "True", "2024-01-01", "1.0", "🐱"])
def test_labels_are_text(folder: Path, label: str) -> None:
    listing = read_table(write(folder, f"path,label\na.png,{label}\nb.png,other\n"), Columns())
    assert listing.labels == [label, "other"]


def test_quoted_fields(folder: Path) -> None:
    listing = read_table(write(folder, 'path,label\na.png,"say ""x"", twice"\nb.png,"two\nlines"\n'), Columns())
    assert listing.labels == ['say "x", twice', "two\nlines"]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffpath,label\na.png,cat\né.png,dog\n",
        "path,label\r\na.png,cat\r\né.png,dog\r\n",
        "path,label\n\na.png,cat\n\n\né.png,dog\n\n",
        "path,label\na.png,cat\n,\né.png,dog",
        "label,path\ncat,a.png\ndog,é.png\n",
        "path,label,\na.png,cat,\né.png,dog,\n",
    ],
    ids=["byte order mark", "windows lines", "blank lines", "empty row", "other order", "trailing commas"],
)
def test_ways_to_write_the_same(folder: Path, text: str) -> None:
    file = write(folder, text)
    listing = read_table(file, Columns())
    assert listing.paths == [str(folder / "a.png"), str(folder / "é.png")]
    assert listing.labels == ["cat", "dog"]
    assert read_paths(file, Columns()) == listing.paths
    assert count_labels(file, Columns()) == 2


def test_groups(folder: Path) -> None:
    file = write(folder, "path,label,patient\na.png,x,007\nb.png,y,7\n")
    assert read_table(file, Columns(group="patient")).groups == ["007", "7"]
    with pytest.raises(DataError, match="no column patent"):
        read_table(file, Columns(group="patent"))


def test_folder_and_absolute_names(folder: Path) -> None:
    file = write(folder, f"path,label\nx.png,cat\n{folder / 'b.png'},dog\n")
    columns = Columns(folder=str(folder / "images"))
    expected = [str(folder / "images" / "x.png"), str(folder / "b.png")]
    assert read_table(file, columns).paths == expected
    assert read_paths(file, columns) == expected
    with pytest.raises(DataError, match="1 of 2 images are not there") as caught:
        read_table(file, Columns())
    assert "data.csv.folder names another folder" in (caught.value.hint or "")


def test_repeated_rows_count_once(folder: Path) -> None:
    listing = read_table(write(folder, "path,label,g\na.png,cat,1\nb.png,dog,2\na.png,cat,1\n"), Columns(group="g"))
    assert listing.labels == ["cat", "dog"]
    assert listing.groups == ["1", "2"]
    assert listing.left_out == {"rows that repeat an image": 1}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("path,label\na.png,cat\nb.png,dog\na.png,dog\n", "line 2: cat, line 4: dog", "keep one"),
        ("path,label\na.png,cat\nb.png,\n", "1 row(s) have nothing in the column label (line 3)", ""),
        ("path,label\na.png,cat\nb.png\n", "1 row(s) have nothing in the column label (line 3)", ""),
        ("path,label\n\na.png,cat\n ,dog\n", "1 row(s) have nothing in the column path (line 4)", ""),
        ("path,label\na.png,cat\n\nz.png,dog\n", "1 of 2 images are not there (line 4: ", "looked up in"),
        ("path,label\nimages,cat\n", "1 of 1 images are not there (line 2: ", "looked up in"),
        ("path,labels\na.png,cat\n", "has no column label; its columns are path, labels", "did you mean labels?"),
        ("file,class\na.png,cat\n", "has no column path; its columns are file, class", "csv: {path: file, ...}"),
        ("path:label\na.png:cat\n", "has no column path", "separated by commas, semicolons, tabs, bars or blanks"),
        ("path,label\na.png;cat\n", "nothing in the column label (line 2)", "line 2 is separated by semicolons"),
        (
            "path label\na.png black cat\n",
            "fields than its first line has names (line 2)",
            "with blanks inside in double",
        ),
        ("path,label\na.png,cat,x\nb.png,dog\n", "have more fields than its first line has names", "double quotes"),
        (
            "path,label\na.png,cat\nb.png,dog,x\n",
            "have more fields than its first line has names (line 3)",
            "every column",
        ),
        (
            'path,label\n"a.png,cat\nb.png,dog\n',
            "is not a CSV: the double quote in line 2 is never closed",
            "write two",
        ),
        ('path,label,x\na.png,cat,"1\n2"\nz.png,dog,\n', "not there (line 4: ", "looked up in"),
        ("a.png,cat\nb.png,dog\n", "the first line of", "a line before it: path,label"),
        ("cat\tz.JPG\ndog\tb.png\n", "is an image, not the names of the columns: z.JPG", "label\tpath"),
        ("a.png cat 1\nb.png dog 2\n", "is an image", "path label column3"),
        ("", "is empty", "path,label"),
        ("\n", "is empty", "path,label"),
    ],
)
def test_mistakes_are_named(folder: Path, text: str, message: str, hint: str) -> None:
    file = write(folder, text)
    with pytest.raises(DataError) as caught:
        read_table(file, Columns())
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert str(file) in caught.value.message


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("content", [b"path,label\n\xe9.png,cat\n", b"", b"\x89PNG\r\n\x1a\n", b"a,b\n1,2\n", None])
def test_files_that_no_reader_takes(folder: Path, reader: object, content: bytes | None) -> None:
    file = folder / "gone.csv" if content is None else write(folder, content)
    with pytest.raises(DataError, match=file.name):
        reader(file, Columns())


@pytest.mark.parametrize("reader", [read_paths, count_labels])
def test_a_quote_that_is_never_closed(folder: Path, reader: object) -> None:
    """The standard library's reader gives up on a field of more than 131,072 letters."""
    with pytest.raises(DataError, match="CSV"):
        reader(write(folder, 'path,label\n"' + "a.png,cat\n" * 20_000), Columns())


def test_an_unlabelled_csv_has_paths(folder: Path) -> None:
    """Its only column will do whatever it is called; of several, the config names it."""
    expected = [str(folder / "a.png"), str(folder / "b.png")]
    assert read_paths(write(folder, "filename\na.png\nb.png\n"), Columns()) == expected
    assert read_paths(write(folder, "filename,size\na.png,3\nb.png,4\n"), Columns("filename")) == expected
    with pytest.raises(DataError, match="no column path"):
        read_paths(write(folder, "filename,size\na.png,3\n"), Columns())
    with pytest.raises(DataError, match="no column label"):
        read_table(write(folder, "path\na.png\n"), Columns())


def test_a_named_folder_is_the_only_one(folder: Path) -> None:
    """As in `read_table`: two files of one name are never taken for each other."""
    file = write(folder, "path\na.png\nx.png\n")
    found = read_paths(file, Columns(folder=str(folder / "images")))
    assert found == [str(folder / "images" / "a.png"), str(folder / "images" / "x.png")]
    assert read_paths(file, Columns()) == [str(folder / "a.png"), str(folder / "x.png")]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("images\\x.png", "have backslashes, as on Windows: write images/x.png instead of images\\x.png"),
        ("images/x", "lack their ending: write images/x.png instead of images/x"),
        ("images\\x", "have backslashes, as on Windows and lack their ending: write images/x.png"),
        ("images/x.jpg", "have another ending: write images/x.png instead of images/x.jpg"),
        ("images/x.PNG", "have another ending: write images/x.png"),
        (" images\\x.png", "have blanks around them and have backslashes, as on Windows: write images/x.png"),
        ("/kaggle/input/images/x.png", "begin with /kaggle/input/, which is not here: write images/x.png"),
        ("C:\\me\\images\\x.png", "have backslashes, as on Windows and begin with C:/me/, which is not here"),
        ("x.png", "/images; data.csv.folder names another folder"),
        ("gone.png", "; data.csv.folder names another folder"),
    ],
)
def test_the_hint_mends_names_of_files_that_are_not_there(folder: Path, name: str, hint: str) -> None:
    with pytest.raises(DataError, match="1 of 1 images are not there") as caught:
        read_table(write(folder, f"path,label\n{name},cat\n"), Columns())
    assert hint in (caught.value.hint or "")


def test_the_hint_names_a_folder_only_where_one_alone_is_meant(folder: Path) -> None:
    write_classes(folder / "photos", {"cat": 1, "dog": 1})
    file = write(folder / "photos", "path,label\n0.png,cat\n")
    with pytest.raises(DataError) as caught:
        read_table(file, Columns())
    assert caught.value.hint == f"file names are looked up in {file.parent}; data.csv.folder names another folder"
    (folder / "photos" / "cat" / "0.png").unlink()
    with pytest.raises(DataError) as caught:
        read_table(file, Columns(are_in_config=False, other_folder=str(folder / "photos" / "dog")))
    assert "and the files are in " + str(folder / "photos" / "dog") in (caught.value.hint or "")


def test_the_hint_makes_no_two_names_one(folder: Path) -> None:
    file = write(folder, "path,label\nold/a.png,cat\nolder/a.png,dog\n")
    with pytest.raises(DataError) as caught:
        read_table(file, Columns())
    assert "write " not in (caught.value.hint or "")


def test_the_hint_names_no_key_of_a_config_where_there_is_none(folder: Path) -> None:
    file = write(folder, "path,label\nx.png,cat\n")
    with pytest.raises(DataError) as caught:
        read_table(file, Columns(are_in_config=False))
    assert "; --folder names another folder" in (caught.value.hint or "")
    for reader in READERS:
        with pytest.raises(DataError, match="has no column") as caught:
            reader(write(folder, "file,class\na.png,cat\n"), Columns(are_in_config=False))
        assert "in the first line" in (caught.value.hint or "")
        assert "data.csv" not in (caught.value.hint or "")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt"])
def test_the_separator_is_found(folder: Path, separator: str, suffix: str) -> None:
    lines = ["id,path,label", '1,"c d.png","black cat"', "2,b.png,dog"]
    file = folder / f"images{suffix}"
    file.write_text("\n".join(line.replace(",", separator) for line in lines))
    listing = read_table(file, Columns())
    assert listing.paths == [str(folder / "c d.png"), str(folder / "b.png")]
    assert listing.labels == ["black cat", "dog"]
    assert read_paths(file, Columns()) == listing.paths
    assert count_labels(file, Columns()) == 2


@pytest.mark.parametrize(
    "text",
    [
        "path   label\na.png   cat \n  b.png dog\n",
        "sep=;\r\npath;label\r\na.png;cat\r\nb.png;dog\r\n",
        "sep=:\npath:label\na.png:cat\nb.png:dog\n",
        "path;label;note\na.png;cat;1,5\nb.png;dog;2,5\n",
        "path\tlabel\tnote, of me\na.png\tcat\tx, y\nb.png\tdog\tz\n",
        "path , label\na.png , cat\nb.png , dog\n",
        "path,label\na.png,cat,\nb.png,dog,,\n",
    ],
)
def test_other_ways_to_separate(folder: Path, text: str) -> None:
    listing = read_table(write(folder, text), Columns())
    assert listing.paths == [str(folder / "a.png"), str(folder / "b.png")]
    assert listing.labels == ["cat", "dog"]


@pytest.mark.parametrize(
    "text",
    [
        "a.png\nc d.png\n",
        "a.png,cat\nc d.png,dog\n",
        "1;a.png\n2;c d.png\n",
        'a.png cat\n"c d.png" dog\n',
        "path\na.png\nc d.png\n",
        "e, f.png\na.png\nc d.png\n",
        "name\ne, f.png\na.png\nc d.png\n",
        "gone.png\te\na.png\ta\nc d.png\tc\n",
    ],
)
def test_every_image_of_a_list_counts_whatever_its_first_line(folder: Path, text: str) -> None:
    (folder / "e, f.png").touch()
    expected = [name for name in ("gone.png", "e, f.png", "a.png", "c d.png") if name in text]
    assert [Path(path).name for path in read_paths(write(folder, text), Columns())] == expected


def test_a_list_of_one_image_and_one_that_is_gone(folder: Path) -> None:
    assert read_paths(write(folder, "a.png"), Columns()) == [str(folder / "a.png")]
    assert read_paths(write(folder, "gone.png\na.png\n"), Columns()) == [
        str(folder / "gone.png"),
        str(folder / "a.png"),
    ]
    (folder / "no suffix").touch()
    assert read_paths(write(folder, "no suffix\na.png\n"), Columns())[0] == str(folder / "no suffix")
    columns = Columns(folder=str(folder / "images"))
    assert read_paths(write(folder, "x.png\na.png\n"), columns) == [
        str(folder / "images" / "x.png"),
        str(folder / "images" / "a.png"),
    ]


def test_the_hint_about_a_missing_header_mends(folder: Path) -> None:
    """What the config calls the columns does not turn an image into a header."""
    text = "a.png,cat\nb.png,dog\n"
    with pytest.raises(DataError, match="is an image, not the names of the columns") as caught:
        read_table(write(folder, text), Columns("a.png", "cat"))
    assert (caught.value.hint or "").endswith(": path,label; and remove path and label from data.csv")
    assert read_table(write(folder, "path,label\n" + text), Columns()).labels == ["cat", "dog"]
    own = Columns("file", "what")
    with pytest.raises(DataError) as caught:
        read_table(write(folder, text), own)
    assert (caught.value.hint or "").endswith("a line before it: file,what")
    assert read_table(write(folder, "file,what\n" + text), own).labels == ["cat", "dog"]


def test_blanks_around_labels_are_left_out_and_said(folder: Path) -> None:
    listing = read_table(write(folder, "path,label\na.png,cat \nb.png,\u00a0dog\nc d.png,cat\n"), Columns())
    assert listing.labels == ["cat", "dog", "cat"]
    (notice,) = listing.notices
    assert "blanks around 2 value(s) of the column label are left out (line 2: 'cat ')" in notice.message
    assert count_labels(folder / "images.csv", Columns()) == 2


def test_unicode_is_compared_in_one_form(folder: Path) -> None:
    """Labels, groups, names of columns and file names: macOS writes é as two letters."""
    (folder / "e\u0301e\u0301.png").touch()
    text = "path,cate\u0301gorie,g\na.png,caf\u00e9,\u00e9\nb.png,cafe\u0301,e\u0301\n\u00e9\u00e9.png,th\u00e9,x\n"
    listing = read_table(write(folder, text), Columns("path", "cat\u00e9gorie", "g"))
    assert listing.labels == ["caf\u00e9", "caf\u00e9", "th\u00e9"]
    assert listing.groups == ["\u00e9", "\u00e9", "x"]
    assert listing.paths[2] == str(folder / "e\u0301e\u0301.png")
    assert "is written in two ways in the column cat\u00e9gorie" in listing.notices[0].message
    assert "COMBINING ACUTE ACCENT" in listing.notices[0].hint


def test_rows_without_a_group_are_groups_of_their_own(folder: Path) -> None:
    text = "path,label,patient\na.png,x, \nb.png,y,\nc d.png,x,p1 \né.png,y,p1\n"
    listing = read_table(write(folder, text), Columns(group="patient"))
    assert len(set(listing.groups)) == 3
    assert listing.groups[2:] == ["p1", "p1"]
    assert "2 row(s) have nothing in the column patient (line 2, 3): each is a group" in listing.notices[-1].message


def test_names_that_no_system_takes_are_not_there(folder: Path) -> None:
    for name in ("x" * 5000, "nul\0l.png"):
        with pytest.raises(DataError, match="1 of 1 images are not there"):
            read_table(write(folder, f"path,label\n{name},cat\n"), Columns())
        assert len(read_paths(write(folder, f"path\n{name}\n"), Columns())) == 1


def test_a_nul_in_the_name_of_a_table_is_named() -> None:
    with pytest.raises(DataError, match="there is a NUL in it"):
        read_paths(Path("a\0.csv"), Columns())
