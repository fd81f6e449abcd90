"""A peer whose network is gone, on this machine and without privileges: its socket drops every packet that comes in.

To the other end that is what a pulled cable is: nothing is acknowledged, and no FIN or RST ever comes.
Linux only (socket(7), SO_ATTACH_FILTER).
"""

import ctypes
import socket
import struct

_SO_ATTACH_FILTER = 26
_DROP_ALL = struct.pack("=HBBI", 0x06, 0, 0, 0)
"""One instruction of classic BPF: return 0, the number of bytes to keep."""


def deafen(sock: socket.socket) -> None:
    """Let nothing come in any more."""
    code = ctypes.create_string_buffer(_DROP_ALL)
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", 1, ctypes.addressof(code)))
