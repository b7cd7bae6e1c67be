"""Why a file in an archive, or an image in a table, cannot be read."""


class MemberError(OSError):
    """A file in an archive cannot be read; its text is the reason."""


class TooLargeError(MemberError):
    """A file in an archive has more bytes than are wanted."""
