"""The gateway: what devices, gateways and systems send goes to disk first, then to Kafka.

================== =============================================================================================
`access`           the registry of gateways: whose token it is, and for which units it may speak
`spool`            segment files that survive `kill -9` and a full disk; nothing is dropped in silence
`commit`           many writers share one flush to the disk
`forward`          from the spool to Kafka, deleted after the acknowledgement
`rows`             messages to blocks of the units a sender may speak for, and what is wrong with each other row
`http`, `mqtt`     intake
`links`            lines and sockets, one strictly serial worker each
`drivers`          one a protocol: what to ask, and what the answer means
`rounds`           when devices are read, back-off, statuses
`simulate`         the other side: meters made of the codecs
`config`           the TOML file, checked whole
================== =============================================================================================
"""
