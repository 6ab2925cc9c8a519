"""Which hosts a data source may lead to: never this machine or the cloud's own addresses, private ones only by name."""

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?|\[?[0-9A-Fa-f:.]{2,45}\]?", re.ASCII)
_NAMES_OF_THIS_MACHINE = ("localhost", "localdomain", "local")
_METADATA = ipaddress.ip_network("fd00:ec2::/32")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class HostRule:
    """``allow_private`` admits everything (the local stage). ``networks``: private ranges that databases live in."""

    allow_private: bool = False
    networks: tuple[Network, ...] = field(default=())

    @classmethod
    def of(cls, allow_private: bool, networks: Sequence[str] = ()) -> "HostRule":
        """``networks`` as CIDR blocks, e.g. ``10.0.0.0/16``. Raises ``ValueError`` for anything else."""
        return cls(allow_private, tuple(ipaddress.ip_network(text.strip()) for text in networks if text.strip()))

    def refuses(self, host: str) -> bool:
        """Whether the host is refused by what is written: no socket path, no list, no forbidden name or number."""
        if not _HOST.fullmatch(host):
            return True
        if self.allow_private:
            return False
        if host.lower().rstrip(".").rpartition(".")[2] in _NAMES_OF_THIS_MACHINE:
            return True
        address = _written_address(host)
        return address is not None and self.refuses_address(address)

    def refuses_address(self, address: Address) -> bool:
        """Whether an address is refused, however it is wrapped into IPv6."""
        if self.allow_private:
            return False
        address = _unwrapped(address)
        if (
            address.is_loopback
            or address.is_link_local
            or address.is_unspecified
            or address.is_multicast
            or address in _METADATA
        ):
            return True
        return not address.is_global and not any(address in network for network in self.networks)

    def addresses(self, host: str, port: int) -> list[str]:
        """What the host's name leads to right now. Raises ``OSError`` (no such name), ``PermissionError`` (refused)."""
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        texts = list(dict.fromkeys(str(place[4][0]) for place in found))
        if any(self.refuses_address(ipaddress.ip_address(text.partition("%")[0])) for text in texts):
            raise PermissionError(host)
        return texts


def _written_address(host: str) -> Address | None:
    """The address that a host is when no name has to be looked up, old spellings like ``0x7f.1`` included."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _unwrapped(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour or address
