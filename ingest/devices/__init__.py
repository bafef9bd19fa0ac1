"""Codecs of meter protocols: bytes to values and back, by tables. No socket, no clock; files are the shipped tables.

Any bytes give values or one of the faults of `ingest.devices.faults`, never another exception. Codecs only build
requests that read: there is no function here that writes to a meter, sets its clock or moves a valve.

=================== ================================================================ =================
module              protocol                                                         frames
=================== ================================================================ =================
`dlt645`            DL/T 645-2007 electricity meters                                 own codec
`cjt188`            CJ/T 188 water, heat and gas meters                              own codec
`mbus`              M-Bus (EN 13757)                                                 pyMeterBus
`modbus`            Modbus registers by a profile (`profiles/*.toml`)                pymodbus (in the gateway)
`dlt698`            DL/T 698.45 electricity meters, GET without security             own codec
`iec104`            IEC 60870-5-104, controlling station                             own codec
=================== ================================================================ =================
"""
