"""The machines of a training: what a recipe's ``launch`` and accelerate's configuration say of them, put together."""

import ipaddress
import re
import socket
from typing import Any

from schemas.errors import UserError, short_repr
from schemas.recipe import Launch

PORT = 29500  # torch's usual one
MOST = 256  # machines
NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.(?!-)[A-Za-z0-9-]{1,63})*\.?")  # a host's, or an IPv4 address
SAME = {"machines": "num_machines", "address": "main_process_ip", "port": "main_process_port"}
# Where processes run, and how they find each other: no row depends on it.
PLACE = ("main_process_ip", "main_process_port")


def with_machines(found: dict[str, Any], launch: Launch, *, is_file: bool, where: str) -> dict[str, Any]:
    """Return a configuration of accelerate with the machines that its processes are on.

    Args:
        found: The configuration, with the number of processes.
        launch: What the recipe says.
        is_file: Whether the configuration is a file of the user's, which must not say otherwise than the recipe.
        where: The place in the recipe, for errors.

    Returns:
        The configuration, with the first machine's rank. For several machines it has ``main_process_port``, and
        ``main_process_ip`` if an address is given.

    Raises:
        UserError: The recipe and the file contradict each other, or a value cannot be.
    """
    said = {name: _said(found, launch, name, is_file=is_file, where=where) for name in SAME}
    machines, address, port = said["machines"] or 1, said["address"], said["port"] or PORT
    _check_number(machines, "machines", MOST, where)
    if machines == 1:
        if launch.address is not None or launch.port is not None or found.get("main_process_ip") is not None:
            name = "port" if launch.port is not None else "address (main_process_ip)"
            raise UserError(f"{where}: {name} is for several machines; add machines: 2, or remove it")
        return found | {"num_machines": 1, "machine_rank": 0}
    _check_number(port, "port", 65535, where)
    if found["num_processes"] % machines:
        raise UserError(
            f"{where}: expected processes: as many on each of {machines} machines, found {found['num_processes']:,}"
        )
    place: dict[str, Any] = {"main_process_port": port, "num_machines": machines, "machine_rank": 0}
    if address is not None:
        place["main_process_ip"] = check_address(address, f"{where}: address")
    return found | place


def placeless(config: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a configuration without what says where its processes run: on one machine they learn the same.

    That of one machine stays as it is, with what a file says of a port: so its training is found that was done before.
    """
    if config is None or config["num_machines"] == 1:
        return config
    return {key: value for key, value in config.items() if key not in PLACE} | {"num_machines": 1}


def check_address(address: Any, where: str) -> str:
    """Return a host's name or IPv4 address; raise ``UserError`` for anything else."""
    if not isinstance(address, str) or len(address) > 253 or not NAME.fullmatch(address):
        raise UserError(
            f"{where}: expected a host's name or IPv4 address, such as 10.0.0.1, found {short_repr(address)}"
        )
    return address


def resolved(address: str, where: str) -> str:
    """Return the IPv4 address that a name stands for here; raise ``UserError`` if there is none."""
    try:
        found = socket.getaddrinfo(address, None, socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UserError(f"{where}: {address}: no IPv4 address is known of it here: {error}") from None
    return str(found[0][4][0])


def is_loopback(address: str) -> bool:
    """Return whether an IPv4 address is one that this machine alone can reach."""
    return ipaddress.ip_address(address).is_loopback


def is_of_many(address: str) -> bool:
    """Return whether an IPv4 address, such as 0.0.0.0 or 255.255.255.255, is that of no machine in particular."""
    found = ipaddress.ip_address(address)
    return found.is_unspecified or found.is_multicast or found.is_reserved


def check_port(port: int, where: str) -> None:
    """Check that torch can listen at a port of this machine; raise ``UserError`` if it is in use, or not for users."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as torch does
        try:
            one.bind(("", port))
            one.listen()
        except OSError as error:
            raise UserError(f"{where}: {port} cannot be used on this machine: {error.strerror}; set another") from None


def _said(found: dict[str, Any], launch: Launch, name: str, *, is_file: bool, where: str) -> Any:
    """Return what the recipe or the file says of something; raise ``UserError`` if they say different things."""
    in_recipe, key = getattr(launch, name), SAME[name]
    in_file = found.get(key) if name != "port" else found.get(key) or None  # 0 is: any free one
    if in_recipe is None:
        return in_file
    if is_file and in_file is not None and in_file != in_recipe:
        raise UserError(
            f"{where}: {name}: {in_recipe}, but {key}: {short_repr(in_file)} in {launch.config}; say it in one place"
        )
    return in_recipe


def _check_number(value: Any, name: str, most: int, where: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise UserError(f"{where}: expected {name}: a number from 1 to {most:,}, found {short_repr(value)}")
