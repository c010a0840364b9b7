"""An emulated telematics unit: ARM, real CAN controllers, a serial GNSS receiver, in QEMU.

`toolchain` builds the program for ARM, `image` makes a kernel and a root file system in memory, `qemu` runs a unit and
answers for it, `phone` and `nmea` are what stands around it, `stories` are the tests.
"""
