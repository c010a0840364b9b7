"""The unit's button: a line of the board's GPIO controller, which the test pulls."""

import json
import re

from . import car, toolchain
from .qemu import Failure, Unit, until

BUSES = {"body": "can0", "cabin": "vcan0"}

# The board's power button, of which the guest's own driver (gpio-keys) is a module: hw/arm/virt.c.
CHIP, LINE = "9030000.pl061", 3
LABEL = "K7QF-93PL"
HARDWARE = f'[hardware.button]\nchip = "{CHIP}"\nline = {LINE}\n'


def site(text):
    """A site's file with the button and the label's code, which lies beside it."""
    return 'board = "qemu-virt"\n' + text.replace("[http]\n", '[http]\nlabel_code_file = "label"\n') + HARDWARE


def button(story):
    """Held, the button lets one phone in that has the label's code; unheld, or where the line cannot be had, it lets none in."""
    files = car.software(story.binary, car.SIMULATED, profile="car.toml", buses=BUSES)
    name = "etc/telltale/telltale.toml"
    files.update({name: site(files[name]), "etc/telltale/label": (f"{LABEL}\n", 0o640)})
    with Unit(story.image, story.name, files, car.INTERFACES, pins=True) as unit:
        _cannot_be_had(unit)
        unit.until_part("button", "ok")
        _expect(unit, LABEL, 410, "the button was not pressed")
        hold(unit)
        unit.do("grep 'the button opens pairing for 2 minutes, for one phone' /tmp/telltale.log")
        first = _expect(unit, LABEL, 201, "the first phone has the code")
        _expect(unit, LABEL, 410, "the button was pressed for one phone")
        hold(unit)
        second = _expect(unit, LABEL, 201, "it was pressed again")
        devices = unit.do("RUNTIME_DIRECTORY=/run/telltale telltale devices")
        if len(re.findall(r"owner  .*\[read control\]", devices)) != 2:
            raise Failure(f"two phones of the owner's, to read and control, are not in {devices}")
        for phone in (first, second):
            if unit.http("GET", "/api/v1/events", token=phone["token"])[0] != 200:
                raise Failure("a phone that was paired by the button is not let in")
        story.figures["phones_paired"] = 2


def _cannot_be_had(unit):
    """Without the chip, and with its line in other hands, the daemon says so and goes on; then it takes the line."""
    unit.start_daemon()
    unit.until_part("button", "degraded", "there is no /dev/telltale-button; put the rules of `telltale boards")
    unit.do("insmod /lib/modules/gpio_keys.ko")
    # What the rules of `telltale boards` do where there is udev.
    unit.do(f"ln -s $(basename /sys/devices/platform/{CHIP}/gpiochip*) /dev/telltale-button")
    unit.until_part("button", "degraded", 'it is taken by "GPIO Key Poweroff"')
    # Meanwhile, as it says.
    unit.pair()
    unit.do("rmmod gpio_keys")


def pairs(unit):
    """Lets a phone in by the button and the label."""
    unit.until_part("button", "ok")
    hold(unit)
    _expect(unit, LABEL, 201, "the button was pressed")


def hold(unit):
    """Holds the button until pairing is open. What is held before the daemon has seen it let go is no press: then once more."""
    def held():
        unit.pull(LINE, 1)
        try:
            return until("pairing is open", lambda: _pair(unit, "not-the-code")[0] == 403, 20)
        except Failure:
            return False
        finally:
            unit.pull(LINE, 0)

    until(f"{unit.name}: the button opens pairing", held)


def _expect(unit, code, status, why):
    """What pairing by this code is answered."""
    said, answer = _pair(unit, code)
    if said != status:
        raise Failure(f"{why}, and pairing by {code} is answered {said} and not {status}: {json.dumps(answer)}")
    return answer


def _pair(unit, code):
    return unit.http("POST", "/api/v1/pair", {"code": code, "device": "phone of the tests"})


button.arches = [toolchain.AARCH64]
