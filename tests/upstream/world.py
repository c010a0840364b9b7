"""What each story begins with: a network, a vehicle in it with its phone and its certificates; and the daemon's deaths."""

import threading
import time

from . import drive
from .authority import Authority
from .basics import GENEROUS, until
from .network import Network
from .vehicle import Vehicle


class World:
    """Taken down again when the story is over, in the other order."""

    def __init__(self, story):
        self.story, self._open = story, []
        self.vehicle = self.phone = None
        self.network = self.kept(Network())
        self.authority = Authority(story.folder, "ca")

    def kept(self, one):
        """This goes down with the world."""
        self._open.append(one)
        return one

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Takes all down."""
        while self._open:
            self._open.pop().close()

    def drive_off(self, upstream, fences=drive.FENCES):
        """The vehicle, with this below `[[upstream]]`, and its phone."""
        self.vehicle = self.kept(Vehicle(self.story.telltale, self.story.folder, self.network, upstream, fences))
        self.trust(self.authority)
        self.certify(self.authority)
        self.vehicle.start()
        self.phone = self.kept(self.vehicle.phone())

    def trust(self, *authorities):
        """The vehicle is given these authorities."""
        self.place("authorities.pem", b"".join(each.certificate.read_bytes() for each in authorities))

    def certify(self, authority):
        """The vehicle is given a certificate of its own."""
        for made, name in zip(authority.sign("car", use="clientAuth"), ("car.pem", "car.key")):
            self.place(name, made.read_bytes())

    def place(self, name, content):
        """The vehicle is given a file as an update does it: whole or not at all."""
        new = self.vehicle.folder / f"{name}.new"
        new.write_bytes(content)
        new.chmod(0o600)
        new.replace(self.vehicle.folder / name)


class Faults:
    """What goes wrong, each in a thread of its own: while this is entered, until all of it is over or one thing fails."""

    def __init__(self, *what):
        self._stop, self._trouble = threading.Event(), []
        self._threads = [threading.Thread(target=self._one, args=(each,), daemon=True) for each in what]

    def __enter__(self):
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for each in self._threads:
            each.join()

    def _one(self, what):
        try:
            what(self)
        except Exception as error:
            self._trouble.append(error)

    def pause(self, seconds):
        """Whether there is more to do after so long."""
        return not self._stop.wait(seconds)

    def over(self):
        """Whether all of it is; raises what has failed."""
        if self._trouble:
            raise self._trouble[0]
        return not any(each.is_alive() for each in self._threads)


def deaths(vehicle, times, every):
    """The daemon dies so often, and is started again at once."""
    def die(faults):
        for _ in range(times):
            if not faults.pause(every):
                return
            vehicle.kill()
            vehicle.start()
    return die


def drive_through(world, events, *faults):
    """Makes at least so many events while all of these faults happen; how long that took goes to the figures."""
    with drive.Car(world.vehicle.folder) as car:
        until("the car drives", car.moving.is_set)
        begun = time.monotonic()
        with Faults(*faults) as happening:
            until("there are events enough", lambda: happening.over() and world.phone.count() >= events, 3 * GENEROUS)
        car.park()
        # What it did last is told.
        time.sleep(1)
    world.story.figures.update(seconds_of_events=round(time.monotonic() - begun), daemon_kills=world.vehicle.kills)
