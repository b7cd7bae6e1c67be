"""ZIP archives from strangers: members are read only where their size can be known beforehand."""

import zipfile

_BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Python unpacks the other methods without a bound, whatever size the archive claims."""


def read_member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """A member of an archive, of `most` bytes at the most.

    Raises:
        KeyError: there is none of that name.
        ValueError: it is larger, or packed by a method that takes any memory.
        zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError: it is damaged.
    """
    member = archive.getinfo(name)
    if member.compress_type not in _BOUNDED:
        raise ValueError(f"{name} has an unsupported compression method")
    if member.file_size > most:
        raise ValueError(f"{name} has {member.file_size:,} bytes, more than {most:,}")
    with archive.open(member) as stream:
        # a member may be larger than it says: without a number, Python would unpack all of it before it notices
        return stream.read(member.file_size + 1)
