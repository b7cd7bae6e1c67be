"""Images in ZIP and tar files: found, read and told apart as those in folders are, and nothing beyond them."""

import io
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cnnctl.config.schema import DataSettings
from cnnctl.data import archives
from cnnctl.data.cache.decoded import _key
from cnnctl.data.catalog import CatalogError, make_catalog
from cnnctl.data.decoder.images import ImageError, ImageSpec, read_image
from cnnctl.data.decoder.reading import read_bytes
from cnnctl.data.listing import list_class_folders, list_images
from cnnctl.data.shards import list_shards, shards_of
from cnnctl.errors import DataError

SPEC = ImageSpec(8, 8)


def zipped(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


PACKERS = pytest.mark.parametrize("pack", [zipped, tarred])


def named(folder: Path, pack) -> Path:
    return folder / ("photos.zip" if pack is zipped else "photos.tar")


@pytest.fixture(scope="module")
def contents(small_photos: Path) -> dict[str, bytes]:
    """The session's photos by their names below photos/."""
    return {
        str(file.relative_to(small_photos.parent)): file.read_bytes() for file in sorted(small_photos.glob("*/*.*"))
    }


@PACKERS
def test_an_archive_is_the_folder_that_it_was_made_of(pack, contents, small_photos, tmp_path):
    archive = pack(named(tmp_path, pack), contents)
    inner = archives.unwrapped(archive)
    assert inner == archive / "photos"
    there, here = list_class_folders(small_photos), list_class_folders(inner)
    assert here.labels == there.labels
    assert [Path(path).relative_to(inner) for path in here.paths] == [
        Path(path).relative_to(small_photos) for path in there.paths
    ]
    for one, other in zip(here.paths[::7], there.paths[::7], strict=True):
        np.testing.assert_array_equal(read_image(one, SPEC), read_image(other, SPEC))
    assert list_images(archive)[0] == sorted(here.paths)
    assert archives.is_folder(archive / "photos" / "no")
    assert archives.is_file(here.paths[0])
    assert not archives.exists(archive / "photos" / "maybe")


@PACKERS
def test_a_config_names_an_archive_as_it_would_a_folder(pack, contents, small_photos, tmp_path):
    archive = pack(named(tmp_path, pack), contents)
    frames = [
        make_catalog(DataSettings(train=str(source), validation=0.2, test=0.1), seed=3).frame
        for source in (archive, archive / "photos", small_photos)
    ]
    assert frames[0].equals(frames[1])
    assert (frames[0].split == frames[2].split).all()
    assert (frames[0].label == frames[2].label).all()


def test_archives_in_a_folder_are_one_set(contents, tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    halves = dict(list(contents.items())[::2]), dict(list(contents.items())[1::2])
    zipped(folder / "1.zip", halves[0])
    tarred(folder / "2.tar", halves[1])
    listing = list_shards(shards_of(folder))
    assert len(listing.paths) == len(contents) == 60
    assert sorted(set(listing.labels)) == ["007", "1e3", "no"]
    assert not listing.empty_classes
    (folder / "photo.png").write_bytes(b"")
    assert shards_of(folder) == []  # an image beside them: they are files that lie there


def test_a_file_beside_each_image_has_its_class(contents, tmp_path):
    pairs: dict[str, bytes] = {}
    for number, (name, content) in enumerate(contents.items()):
        pairs[f"{number:06}{Path(name).suffix}"] = content
        pairs[f"{number:06}.cls"] = Path(name).parent.name.encode() + b"\n"
        pairs[f"{number:06}.json"] = b"{}"
    listing = list_shards(shards_of(tarred(tmp_path / "train.tar", pairs)))
    assert listing.labels == [Path(name).parent.name for name in contents]
    assert listing.left_out == {"other": len(contents)}
    del pairs["000003.cls"]
    with pytest.raises(DataError, match=r"train.tar/000003\.\w+ has no label"):
        list_shards(shards_of(tarred(tmp_path / "train.tar", pairs)))


@PACKERS
def test_names_that_lead_out_of_an_archive_are_left_out(pack, tmp_path):
    (tmp_path / "secret.png").write_bytes(b"ours")
    names = ["../secret.png", "a/../../secret.png", str(tmp_path / "secret.png"), "a//b.png", "./cat/1.png"]
    archive = pack(named(tmp_path, pack), dict.fromkeys(names, b"theirs"))
    assert list_images(archive)[0] == [f"{archive}/cat/1.png"]
    assert read_bytes(f"{archive}/cat/1.png") == b"theirs"
    with pytest.raises(ImageError):
        read_bytes(f"{archive}/../secret.png")


def test_links_and_devices_in_a_tar_are_left_out(tmp_path):
    archive = tarred(tmp_path / "photos.tar", {"cat/1.png": b"one"})
    with tarfile.open(archive, "a") as opened:
        for name, kind in (("cat/2.png", tarfile.SYMTYPE), ("cat/3.png", tarfile.LNKTYPE), ("cat/4.png", b"3")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            opened.addfile(member)
    assert list_images(archive)[0] == [f"{archive}/cat/1.png"]


def test_a_member_is_read_up_to_the_limit_and_no_further(tmp_path):
    large = zipped(tmp_path / "photos.zip", {"cat/1.png": bytes(5_000_000)})
    assert large.stat().st_size < 10_000
    with pytest.raises(ImageError, match="larger than 1 MB"):
        read_bytes(large / "cat" / "1.png", 1_000_000)
    assert read_bytes(large / "cat" / "1.png", 5_000_000) == bytes(5_000_000)


def test_other_methods_and_passwords_are_reasons(tmp_path):
    slow = zipped(tmp_path / "slow.zip", {"1.png": b"x" * 100}, zipfile.ZIP_LZMA)
    with pytest.raises(ImageError, match="unsupported compression"):
        read_bytes(slow / "1.png")
    locked = zipped(tmp_path / "locked.zip", {"1.png": b"x" * 100}, zipfile.ZIP_STORED)
    content = bytearray(locked.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1
    locked.write_bytes(content)
    with pytest.raises(ImageError, match="encrypted"):
        read_bytes(locked / "1.png")


@pytest.mark.parametrize("mode", ["gz", "bz2", "xz"])
def test_a_compressed_tar_is_refused_with_its_mend(mode, contents, tmp_path):
    archive = tarred(tmp_path / f"photos.tar.{mode}", contents, f"w:{mode}")
    with pytest.raises(CatalogError, match="compressed tar") as caught:
        make_catalog(DataSettings(train=str(archive)), seed=0)
    assert f"tar -xf {archive}" in str(caught.value.hint)


@PACKERS
def test_a_changed_archive_is_another(pack, contents, tmp_path):
    archive = pack(named(tmp_path, pack), contents)
    paths = list_images(archive)[0]
    first = _key(paths, SPEC)
    assert _key(paths, SPEC) == first
    pack(archive, {**contents, "photos/no/new.png": b"new"})
    assert len(list_images(archive)[0]) == len(paths) + 1
    assert _key(paths, SPEC) != first


def test_a_real_folder_of_such_a_name_stays_one(contents, small_photos, tmp_path):
    shutil.copytree(small_photos, tmp_path / "photos.zip")
    assert archives.unwrapped(tmp_path / "photos.zip") == tmp_path / "photos.zip"
    assert len(list_images(tmp_path / "photos.zip")[0]) == 60
    assert read_bytes(tmp_path / "photos.zip" / "no" / "00.jpg") == contents["photos/no/00.jpg"]


@PACKERS
def test_whatever_is_damaged_is_an_error_of_ours(pack, contents, tmp_path):
    """Each cut and each flipped byte: an error that names the archive or the image, or images that can be read."""
    archive = pack(named(tmp_path, pack), dict(list(contents.items())[::10]))
    whole = archive.read_bytes()
    chance, named_all = np.random.default_rng(5), list[bool]()
    for number in range(150):
        content = bytearray(whole[: int(chance.integers(len(whole)))] if number % 3 == 0 else whole)
        for place in chance.integers(0, max(1, len(content)), 3 if number % 3 else 0):
            content[place] = int(chance.integers(256))
        archive.write_bytes(content)
        os.utime(archive, ns=(number, number))
        try:
            paths = list_images(archive)[0]
        except DataError as error:
            named_all.append(str(archive) in error.message)
            continue
        for path in paths:
            try:
                read_image(path, SPEC)
            except ImageError as error:
                named_all.append(bool(error.reason))
    assert len(named_all) > 30
    assert all(named_all)


def test_a_damaged_header_does_not_end_a_tar(tmp_path):
    archive = tarred(tmp_path / "photos.tar", {f"cat/{number}.png": b"x" * 600 for number in range(4)})
    assert len(list_images(archive)[0]) == 4
    content = bytearray(archive.read_bytes())
    content[2 * 1536 + 3] ^= 1  # in the name of the third
    archive.write_bytes(content)
    with pytest.raises(DataError, match="no header at byte 3,072"):
        list_images(archive)


def test_no_script_is_ejected_that_could_not_read_its_images(contents, tmp_path):
    from cnnctl.ejecting.eject import _refuse_archives
    from cnnctl.errors import UsageError

    archive = zipped(tmp_path / "photos.zip", contents)
    _refuse_archives([str(tmp_path / "photos" / "no" / "00.jpg")])
    with pytest.raises(UsageError, match=r"in an archive: .*photos\.zip/photos/no/00\.jpg"):
        _refuse_archives([str(archive / "photos" / "no" / "00.jpg")])
